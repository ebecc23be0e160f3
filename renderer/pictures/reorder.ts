/** The list with the element at `from` at `to`; places outside the list count as its ends. */
export function moved<Item>(items: readonly Item[], from: number, to: number): Item[] {
  const rest = items.filter((_, index) => index !== from);
  const item = items[from];
  if (item === undefined) return rest;
  rest.splice(Math.min(Math.max(to, 0), rest.length), 0, item);
  return rest;
}

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** The place in the list whose box's middle is nearest. */
export function nearest(boxes: readonly Box[], at: { x: number; y: number }): number {
  let best = 0;
  let least = Infinity;
  for (const [index, box] of boxes.entries()) {
    const distance = Math.hypot(at.x - box.left - box.width / 2, at.y - box.top - box.height / 2);
    if (distance < least) [best, least] = [index, distance];
  }
  return best;
}
