/**
 * For the element that fills the window. `grow` hears how high, in CSS pixels, the window would have to be for the element, and for what
 * scrolls in it, to be seen whole: once for each height, also where there is no room for it.
 */
export function growing(grow: (height: number) => void): (card: HTMLElement) => () => void {
  return (card) => {
    let asked = 0;
    let frame = 0;

    function measure(): void {
      const height = Math.ceil([card, ...card.children].reduce((sum, part) => sum + hidden(part), innerHeight));
      if (height <= innerHeight || height === asked) return;
      asked = height;
      grow(height);
    }

    function later(): void {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(measure);
    }

    function resized(): void {
      asked = 0;
      later();
    }

    const changes = new MutationObserver(later);
    changes.observe(card, { childList: true, subtree: true, characterData: true });
    // Pictures say so only to those who listen on the way down.
    card.addEventListener('load', later, true);
    addEventListener('resize', resized);
    later();
    return () => {
      changes.disconnect();
      card.removeEventListener('load', later, true);
      removeEventListener('resize', resized);
      cancelAnimationFrame(frame);
    };
  };
}

/** How much of it is scrolled away. */
function hidden({ scrollHeight, clientHeight }: Element): number {
  return Math.max(0, scrollHeight - clientHeight);
}
