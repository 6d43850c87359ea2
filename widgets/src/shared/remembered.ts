// What was handed out lately, so that an undo shows it at once. No DOM here.

/** As many as a person takes back. */
const MOST = 200;

/** Items by their keys; of too many, those that were not seen for longest are forgotten. */
export class Remembered<Item extends { key: string }> {
  private readonly items = new Map<string, Item>();

  /** @param forget Called with the key of an item that is forgotten. */
  constructor(
    private readonly forget: (key: string) => void = () => {},
    private readonly most = MOST,
  ) {}

  get(key: string): Item | undefined {
    return this.items.get(key);
  }

  has(key: string): boolean {
    return this.items.has(key);
  }

  add(item: Item): void {
    this.items.delete(item.key);
    this.items.set(item.key, item);
    for (const key of this.items.keys()) {
      if (this.items.size <= this.most) break;
      this.items.delete(key);
      this.forget(key);
    }
  }
}
