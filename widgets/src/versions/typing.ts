// The name of a version, as it is being typed. No DOM here.

import { matches } from "./keys";

/** How long the letters of a name may be apart. */
const TYPING_MS = 700;

export class Typing {
  private typed = "";
  private typedAt = 0;

  /** Letters go on with what is typed, or begin anew; returns all of them. */
  add(text: string): string {
    this.typed = this.isOn ? this.typed + text : text;
    this.typedAt = Date.now();
    return this.typed;
  }

  end(): void {
    this.typed = "";
  }

  /** "c" goes on with "poli"; after "12" it is a command, however fast it comes. */
  goesOn(key: string, names: readonly string[]): boolean {
    const typed = this.typed + key.toLowerCase();
    return this.isOn && names.some((name) => matches(name, typed));
  }

  private get isOn(): boolean {
    return this.typed !== "" && Date.now() - this.typedAt < TYPING_MS;
  }
}
