// A token as something to see. What a model printed may hold characters that show nothing, or that
// turn the text around them; each of those becomes a mark with its name.

import { tokens as strings } from "../strings";
import type { Kind } from "./protocol";

/**
 * A piece of a token: its own text, or something in the place of what cannot be seen: a sign for
 * common white space, or a name, which is framed so that nobody takes it for text.
 */
export interface Glyph {
  text: string;
  as: "text" | "sign" | "name";
}

// Names of the first 32 characters in Unicode.
const CONTROLS =
  "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI " +
  "DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US";

// Controls, formats (bidi among them), separators, and what is unassigned or private.
const UNSEEN =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cn}\p{Co}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800]/u;
// These join or dress the character before them; they are shown where they have none.
const JOINERS = /\u200c|\u200d|[\ufe00-\ufe0f]/;
const BLANK = /^[\s\u00a0]*$/u;
const COMBINING = /^\p{M}/u;
const DOTTED_CIRCLE = "\u25cc";

const NAMES: Record<number, string> = {
  ...CONTROLS.split(" "),
  127: "DEL",
  133: "NEL",
  160: "NBSP",
  173: "SHY",
  1564: "ALM",
  8203: "ZWSP",
  8204: "ZWNJ",
  8205: "ZWJ",
  8206: "LRM",
  8207: "RLM",
  8234: "LRE",
  8235: "RLE",
  8236: "PDF",
  8237: "LRO",
  8238: "RLO",
  8288: "WJ",
  8294: "LRI",
  8295: "RLI",
  8296: "FSI",
  8297: "PDI",
  65279: "BOM",
};

/** What is shown of a token. */
export function glyphsOf(text: string, kind: Kind): Glyph[] {
  if (kind === "bytes") return [{ text, as: "name" }];
  if (kind === "special") return [{ text: inLine(text), as: "name" }];
  if (text === "") return [{ text: strings.nothing, as: "sign" }];
  const isBlank = BLANK.test(text);
  const glyphs: Glyph[] = [];
  let seen = false;
  for (const character of text) {
    for (const glyph of shown(character, isBlank, seen)) add(glyphs, glyph);
    if (!JOINERS.test(character)) seen = !UNSEEN.test(character) && !BLANK.test(character);
  }
  if (COMBINING.test(text) && glyphs[0]?.as === "text") {
    glyphs[0] = { text: DOTTED_CIRCLE + glyphs[0].text, as: "text" };
  }
  return glyphs;
}

/** Put the glyphs of a token into an element, as text alone. */
export function drawToken(element: HTMLElement, text: string, kind: Kind): void {
  const glyphs = glyphsOf(text, kind);
  const [only] = glyphs;
  if (glyphs.length === 1 && only?.as === "text") {
    element.textContent = only.text;
    return;
  }
  element.replaceChildren(
    ...glyphs.map((glyph) => (glyph.as === "text" ? glyph.text : mark(glyph))),
  );
}

/** A token in one line, as in a table or for a screen reader. */
export function inWords(text: string, kind: Kind, whole: string): string {
  if (kind === "special") return strings.special(inLine(text));
  if (kind === "bytes") return strings.bytes(text, whole && inLine(whole));
  const spaces = /^ +$/.test(text) ? text.length : 0;
  if (spaces) return strings.spaces(spaces);
  return text === "\n" ? strings.newline : strings.quoted(inLine(text));
}

/** A text in one line, with signs and names for what cannot be seen. */
export function inLine(text: string): string {
  return glyphsOf(text, "text")
    .map((glyph) => (glyph.as === "text" ? glyph.text.replace(/\n/g, "") : glyph.text))
    .join("");
}

function mark(glyph: Glyph): HTMLElement {
  const element = document.createElement("span");
  element.className = `tk-${glyph.as}`;
  element.textContent = glyph.text;
  return element;
}

function* shown(character: string, isBlank: boolean, afterSeen: boolean): Generator<Glyph> {
  if (character === "\n") {
    yield { text: strings.marks.newline, as: "sign" };
    yield { text: "\n", as: "text" };
  } else if (character === "\t") {
    yield { text: strings.marks.tab, as: "sign" };
  } else if (character === " ") {
    yield isBlank ? { text: strings.marks.space, as: "sign" } : { text: " ", as: "text" };
  } else if (isUnseen(character, isBlank, afterSeen)) {
    yield { text: nameOf(character.codePointAt(0) ?? 0), as: "name" };
  } else {
    yield { text: character, as: "text" };
  }
}

function isUnseen(character: string, isBlank: boolean, afterSeen: boolean): boolean {
  if (JOINERS.test(character)) return !afterSeen;
  return UNSEEN.test(character) || (isBlank && BLANK.test(character)) || character === "\u00a0";
}

function nameOf(code: number): string {
  return NAMES[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

function add(glyphs: Glyph[], glyph: Glyph): void {
  const last = glyphs.at(-1);
  if (last?.as === "text" && glyph.as === "text") last.text += glyph.text;
  else glyphs.push(glyph);
}
