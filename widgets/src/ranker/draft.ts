// What was said so far of the item on the screen. No DOM here.

import { ALL_BAD, type Content, type DraftData, type Said, type Strength } from "./protocol";

/** From "A is much better" to equal; B's half mirrors it. */
const STRENGTHS: Strength[] = ["much", "clearly", "slightly", "negligibly"];
/** The middle of the scale for a pair. */
const EQUAL = 5;

export class Draft {
  comment: string;
  flags: string[];
  private strength: Strength | null;
  private readonly ranks: (number | null)[];
  private readonly ratings: Record<string, number>[];

  constructor(
    readonly letters: readonly string[],
    start: DraftData | null,
  ) {
    // "All bad" is an answer of its own, and not a start for another one.
    const ranks = start?.flags.includes(ALL_BAD) ? null : start?.ranks;
    this.ranks = letters.map((_, index) => ranks?.[index] ?? null);
    this.strength = ranks ? (start?.strength ?? null) : null;
    this.ratings = letters.map((_, index) => ({ ...start?.ratings[index] }));
    this.comment = start?.comment ?? "";
    this.flags = start?.flags.filter((flag) => flag !== ALL_BAD) ?? [];
  }

  get count(): number {
    return this.letters.length;
  }

  /** Whether anything was said. */
  get touched(): boolean {
    return (
      this.ranks.some((rank) => rank !== null) ||
      this.ratings.some((ratings) => Object.keys(ratings).length > 0) ||
      this.comment !== "" ||
      this.flags.length > 0
    );
  }

  /**
   * What goes beside the ranks: of what was said once, by way of an undo, only what the lab still
   * asks for. Anything else Python would refuse, and the person could not take it out.
   */
  said({ criteria, flags }: Pick<Content, "criteria" | "flags">): Said {
    const ratings = this.ratings.map((rated) =>
      Object.fromEntries(Object.entries(rated).filter(([name]) => criteria.includes(name))),
    );
    const { strength, comment } = this;
    return { strength, ratings, comment, flags: this.flags.filter((one) => flags.includes(one)) };
  }

  // --------------------------------------------------------------------------------------- ranks

  rank(index: number): number | null {
    return this.ranks[index] ?? null;
  }

  set(index: number, rank: number | null): void {
    this.ranks[index] = rank;
  }

  /** One rank better (-1) or worse (1); below the last rank a card is not ranked. */
  raise(index: number, by: number): void {
    const rank = (this.rank(index) ?? this.count + 1) + by;
    this.set(index, rank > this.count ? null : Math.max(rank, 1));
  }

  letter(index: number): string {
    return this.letters[index] ?? "";
  }

  /** Letters of the other cards with the same rank. */
  tiedWith(index: number): string[] {
    const rank = this.rank(index);
    if (rank === null) return [];
    return this.letters.filter((_, other) => other !== index && this.rank(other) === rank);
  }

  /** Indices of the cards without a rank. */
  get missing(): number[] {
    return this.ranks.flatMap((rank, index) => (rank === null ? [index] : []));
  }

  /** All ranks, or null while some are missing. */
  get complete(): number[] | null {
    const given = this.ranks.filter((rank) => rank !== null);
    if (given.length < this.ranks.length) return null;
    // Two ranks alone do not say how much; the scale says both at once.
    return this.count === 2 && this.choice === null ? null : given;
  }

  /** Whether the ranks are just the order on the screen: often that of a person in a hurry. */
  get isShownOrder(): boolean {
    return this.count > 2 && this.ranks.every((rank, index) => rank === index + 1);
  }

  /** Which card to compare one with: the nearest that is ranked better, else the one before it. */
  neighbour(index: number): number {
    const own = this.rank(index);
    const better = this.ranks.flatMap((rank, other) =>
      rank !== null && own !== null && rank < own ? [{ rank, other }] : [],
    );
    better.sort((a, b) => b.rank - a.rank);
    return better[0]?.other ?? (index > 0 ? index - 1 : index + 1);
  }

  // ---------------------------------------------------------------------------- the scale of a pair

  /** Where a pair stands on the scale from 1 (A is much better) to 9 (B is), or null. */
  get choice(): number | null {
    const [first, second] = this.ranks;
    if (!first || !second) return null;
    if (first === second) return EQUAL;
    if (!this.strength) return null;
    const distance = STRENGTHS.length - STRENGTHS.indexOf(this.strength);
    return first < second ? EQUAL - distance : EQUAL + distance;
  }

  choose(choice: number | null): void {
    const side = Math.sign((choice ?? EQUAL) - EQUAL);
    this.strength = STRENGTHS[STRENGTHS.length - Math.abs((choice ?? EQUAL) - EQUAL)] ?? null;
    this.ranks[0] = choice === null ? null : side > 0 ? 2 : 1;
    this.ranks[1] = choice === null ? null : side < 0 ? 2 : 1;
  }

  // --------------------------------------------------------------------------------------- ratings

  rating(index: number, criterion: string): number | null {
    return this.ratings[index]?.[criterion] ?? null;
  }

  rate(index: number, criterion: string, value: number | null): void {
    const ratings = this.ratings[index];
    if (!ratings) return;
    if (value === null) delete ratings[criterion];
    else ratings[criterion] = value;
  }

  toggleFlag(flag: string): void {
    const without = this.flags.filter((other) => other !== flag);
    this.flags = without.length < this.flags.length ? without : [...without, flag];
  }
}
