// Room that never shrinks at one width, so that what stands below it stays where the hand is.

export class Reserve {
  private height = 0;

  constructor(private readonly element: HTMLElement) {}

  /** What is in the element is another. */
  keep(): void {
    this.height = Math.max(this.height, this.element.offsetHeight);
    this.element.style.minHeight = this.height ? `${this.height}px` : "";
  }

  /** The element has another width, or other parts: all is measured anew. */
  reset(): void {
    this.height = 0;
    this.element.style.minHeight = "";
    this.keep();
  }
}
