/** How marks are made on a selected region: by drags, and by keys that move and stretch one until it is taken. All in pixels of the frame. */
import type { Mark, Region } from '../../main/contract.ts';
import { between, moveBy, stepOf, stretchBy, type Keys, type Point } from './selection.ts';

export type Tool = Mark['kind'];

/** A drag holds both pixels that it joins; an arrow points where it ends. */
export function dragged(tool: Tool, from: Point, to: Point): Mark {
  return tool === 'redact' ? { kind: tool, region: between(from, to) } : { kind: tool, from, to };
}

/** What keys begin with: the middle third of what is selected. */
export function begun(tool: Tool, { x, y, width, height }: Region): Mark {
  const from = { x: x + Math.floor(width / 3), y: y + Math.floor(height / 3) };
  return dragged(tool, from, { x: from.x + Math.floor((width - 1) / 3), y: from.y + Math.floor((height - 1) / 3) });
}

/** Inside what is selected; the pixel itself where it is there already. */
export function within({ x, y, width, height }: Region, at: Point): Point {
  return { x: Math.min(Math.max(at.x, x), x + width - 1), y: Math.min(Math.max(at.y, y), y + height - 1) };
}

/** Arrows move a mark, with Alt or Ctrl they move its lower right corner or its tip; Shift makes ten pixels of one. Null: not ours. */
export function moved(mark: Mark, keys: Keys, selection: Region): Mark | null {
  const by = stepOf(keys);
  if (!by) return null;
  const stretches = keys.altKey || keys.ctrlKey;
  // As if the selection were the frame.
  const { x, y, width, height } = selection;
  if (mark.kind === 'redact') {
    const local = { ...mark.region, x: mark.region.x - x, y: mark.region.y - y };
    const changed = stretches ? stretchBy(local, by, { width, height }) : moveBy(local, by, { width, height });
    return { kind: 'redact', region: { ...changed, x: changed.x + x, y: changed.y + y } };
  }
  const to = within(selection, plus(mark.to, by));
  if (stretches) return { ...mark, to };
  const from = within(selection, plus(mark.from, by));
  // Neither end goes where the other cannot follow.
  const isFree = from.x - mark.from.x === to.x - mark.to.x && from.y - mark.from.y === to.y - mark.to.y;
  return isFree ? { ...mark, from, to } : mark;
}

function plus(a: Point, b: Point): Point {
  return { x: a.x + b.x, y: a.y + b.y };
}
