// The ranks given so far to the item on the screen. No DOM here.

export class Draft {
  private readonly ranks: (number | null)[];

  constructor(
    readonly letters: readonly string[],
    start: readonly number[] | null,
  ) {
    this.ranks = letters.map((_, index) => start?.[index] ?? null);
  }

  get count(): number {
    return this.letters.length;
  }

  rank(index: number): number | null {
    return this.ranks[index] ?? null;
  }

  set(index: number, rank: number | null): void {
    this.ranks[index] = rank;
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
    return given.length === this.ranks.length ? given : null;
  }
}
