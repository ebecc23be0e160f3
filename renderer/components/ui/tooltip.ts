import type { Attachment } from 'svelte/attachments';

const delay = 450;
const gap = 6;

type Side = 'above' | 'below';

/** One bubble for the whole window, in the top layer so that nothing clips it. Only for the eye: the element's own name says the same. */
let bubble: HTMLElement | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

function show(owner: Element, text: string, side: Side): void {
  // What an open menu belongs to is plain, and the bubble would lie on its entries.
  if (!owner.isConnected || owner.ariaExpanded === 'true') return;
  if (bubble === undefined) {
    bubble = document.createElement('div');
    bubble.className = 'tooltip';
    bubble.popover = 'manual';
    bubble.ariaHidden = 'true';
  }
  // Inside an open dialog the bubble has to be a part of it to lie above it.
  (owner.closest('dialog') ?? document.body).append(bubble);
  bubble.textContent = text;
  bubble.showPopover();
  const at = owner.getBoundingClientRect();
  const { width, height } = bubble.getBoundingClientRect();
  const left = Math.max(gap, Math.min(at.left + at.width / 2 - width / 2, innerWidth - width - gap));
  const above = at.top - height - gap;
  const below = at.bottom + gap;
  const fitsBelow = below + height <= innerHeight - gap;
  bubble.style.left = `${left}px`;
  bubble.style.top = `${(side === 'below' && fitsBelow) || above < gap ? below : above}px`;
}

function hide(): void {
  clearTimeout(timer);
  if (bubble?.matches(':popover-open')) bubble.hidePopover();
}

/** Shows `text` beside the element after a moment of pointing, or at once on keyboard focus; above it, unless that would cover what is read. */
export function tooltip(text: string, side: Side = 'above'): Attachment<HTMLElement> {
  return (element) => {
    const point = (event: PointerEvent) => {
      if (event.pointerType === 'touch') return;
      hide();
      timer = setTimeout(() => show(element, text, side), delay);
    };
    const focus = () => {
      if (element.matches(':focus-visible')) show(element, text, side);
    };
    element.addEventListener('pointerenter', point);
    element.addEventListener('focus', focus);
    for (const end of ['pointerleave', 'pointerdown', 'blur', 'keydown'] as const) element.addEventListener(end, hide);
    return () => {
      hide();
      element.removeEventListener('pointerenter', point);
      element.removeEventListener('focus', focus);
      for (const end of ['pointerleave', 'pointerdown', 'blur', 'keydown'] as const) element.removeEventListener(end, hide);
    };
  };
}
