/** How near to the end counts as being there, px. */
const near = 32;

/**
 * Keeps the end of a growing column in view while the reader is there, and leaves the reader
 * alone elsewhere.
 */
export class EndFollower {
  #atEnd = $state(true);
  #scroller: HTMLElement | undefined;
  #lastTop = 0;

  get atEnd(): boolean {
    return this.#atEnd;
  }

  toEnd(): void {
    this.#atEnd = true;
    this.#follow();
  }

  /** The reader is taken elsewhere: the end is not followed until it is reached again. */
  release(): void {
    this.#atEnd = false;
  }

  /** To the very beginning, once everything above is there. */
  toStart(): void {
    this.#atEnd = false;
    if (this.#scroller) this.#scroller.scrollTop = 0;
  }

  /** By what is in view, but for a line or two. */
  page(by: 1 | -1): void {
    this.#scroller?.scrollBy({ top: by * this.#scroller.clientHeight * 0.875 });
  }

  /** `grow` adds something above; what is in view stays where it is. Browsers do so by themselves, but not at the very top. */
  growAbove(grow: () => void): void {
    const scroller = this.#scroller;
    const fromEnd = scroller ? scroller.scrollHeight - scroller.scrollTop : 0;
    grow();
    if (scroller) scroller.scrollTop = scroller.scrollHeight - fromEnd;
  }

  /** The element that scrolls; its first child grows. */
  readonly attach = (scroller: HTMLElement): (() => void) => {
    this.#scroller = scroller;
    const observer = new ResizeObserver(() => {
      if (this.#atEnd) this.#follow();
    });
    observer.observe(scroller);
    for (const child of scroller.children) observer.observe(child);
    scroller.addEventListener('scroll', this.#scrolled, { passive: true });
    this.#follow();
    return () => {
      observer.disconnect();
      scroller.removeEventListener('scroll', this.#scrolled);
    };
  };

  readonly #scrolled = (): void => {
    const scroller = this.#scroller!;
    const top = scroller.scrollTop;
    // Text that has just arrived moves the end away; only going up is leaving it.
    if (scroller.scrollHeight - top - scroller.clientHeight <= near) this.#atEnd = true;
    else if (top < this.#lastTop) this.#atEnd = false;
    this.#lastTop = top;
  };

  #follow(): void {
    const scroller = this.#scroller;
    if (scroller) scroller.scrollTop = scroller.scrollHeight;
  }
}
