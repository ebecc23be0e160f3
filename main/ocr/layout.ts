/**
 * From places of text to the order of reading, and to what stands between them: a space, a tab, the end of a line, an empty
 * line. Known before anything is read, so that lines can be read in order and handed on at once.
 *
 * Rows are gathered from the top down as long as the same gaps go through them. Where gaps do, there are columns: a table
 * where they stand in common rows, which is read row by row, and otherwise columns of text, read one after the other and
 * each looked at in the same way.
 */
import type { Quad } from '../contract.ts';
import { heightOf, widthOf } from './quad.ts';

export interface Placed {
  quad: Quad;
  /** What stands between it and the text before: "", " ", one or more tabs, one or two line ends. */
  before: string;
}

interface Box {
  quad: Quad;
  /** In the picture set upright. */
  left: number;
  right: number;
  top: number;
  bottom: number;
}

interface Span {
  left: number;
  right: number;
}

/** Boxes beside each other. */
type Row = Box[];

/** In heights of a line. Boxes reach about a third of one beyond their letters: where they do not touch there is more than a space. */
const columnGap = 0.1;
const paragraphGap = 0.75;
/** Lines that overlap by more than this are beside each other, level or not. */
const slightly = 0.15;
const muchWider = 1.5;
/** Lines that make a column. */
const leastColumn = 3;
/** Share of the boxes of columns that stand in common rows where it is a table, and how far they may be from level. */
const tabular = 0.75;
const level = 0.2;
/** A column whose lines are typically this much longer than high holds sentences. */
const proseWidth = 10;

export function layOut(quads: readonly Quad[]): Placed[] {
  const slope = slopeOf(quads);
  const placed = orderBlock(quads.map((quad) => boxOf(quad, slope)));
  if (placed[0]) placed[0] = { ...placed[0], before: '' };
  return placed;
}

/** Where something was left out because it says nothing, what stands between its neighbours. */
export function joinGaps(before: string, after: string): string {
  const lines = (gap: string): number => gap.split('\n').length;
  if (after.includes('\n')) return lines(before) > lines(after) ? before : after;
  if (after === ' ') return before || ' ';
  return before === ' ' ? after : before + after;
}

/** Of the whole page: that of its long lines. */
function slopeOf(quads: readonly Quad[]): number {
  const angles = quads
    .filter((quad) => widthOf(quad) > 6 * heightOf(quad))
    .map(([a, b]) => Math.atan2(b[1] - a[1], b[0] - a[0]))
    .sort((a, b) => a - b);
  const median = angles[angles.length >> 1] ?? 0;
  // Up to there lines are taken for horizontal; others are turned text on an upright page.
  return Math.abs(median) < Math.PI / 6 ? median : 0;
}

function boxOf(quad: Quad, angle: number): Box {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const along = quad.map(([x, y]) => x * cos + y * sin);
  const across = quad.map(([x, y]) => y * cos - x * sin);
  return { quad, left: Math.min(...along), right: Math.max(...along), top: Math.min(...across), bottom: Math.max(...across) };
}

function orderBlock(boxes: readonly Box[]): Placed[] {
  const gap = median(boxes.map(height)) * columnGap;
  const bands = bandsOf(boxes, gap);
  const run = findColumns(bands, gap);
  if (!run) return partsOf(bands, gap).flatMap((rows) => orderPart(rows.flat(), gap));
  return [
    ...orderBlock(bands.slice(0, run.from).flat()),
    ...run.columns.flatMap((column) => orderBlock(column)),
    ...orderBlock(bands.slice(run.to).flat()),
  ];
}

/** Bands, from the top down, that a gap goes through from the first to the last and that are no table. */
function findColumns(bands: Row[], gap: number): { from: number; to: number; columns: Box[][] } | null {
  for (let from = 0; from < bands.length; from++) {
    let spans: Span[] = [];
    let to = from;
    for (; to < bands.length; to++) {
      const common = merge([...spans, ...bands[to]!], gap);
      if (to > from && common.length === 1 && (spans.length > 1 || bands[to]!.length > 1)) break;
      spans = common;
    }
    if (spans.length === 1) continue;
    if (fitsByChance(bands.slice(from, to), 0, gap)) continue;
    while (fitsByChance(bands.slice(from, to), to - from - 1, gap)) to--;
    const boxes = bands.slice(from, to).flat();
    const columns = columnsOf(boxes, merge(boxes, gap));
    if (columns.filter((column) => column.length >= leastColumn).length > 1 && !isTable(columns)) return { from, to, columns };
  }
  return null;
}

/** A menu or a status line whose own gaps happen to leave a little of a gap between columns open. */
function fitsByChance(bands: Row[], index: number, gap: number): boolean {
  const columns = merge(bands.flat(), gap);
  const isSplit = columnsOf(bands[index] ?? [], columns).some((column) => merge(column, gap).length > 1);
  return isSplit && narrowest(merge(bands.toSpliced(index, 1).flat(), gap)) > muchWider * narrowest(columns);
}

/** Of the gaps between spans, from the left. */
function narrowest(spans: Span[]): number {
  return Math.min(...spans.slice(1).map(({ left }, index) => left - spans[index]!.right));
}

/** Text, and tables: bands that one belongs to. */
function partsOf(bands: Row[], gap: number): Row[][] {
  const parts: Row[][] = [];
  let columns: Span[] = [];
  for (const band of bands) {
    const common = merge([...columns, ...band], gap);
    const own = merge(band, gap);
    // A table goes on while no column is lost, text while it stays one.
    const goesOn = parts.length > 0 && common.length >= columns.length && (columns.length > 1 || common.length === own.length);
    if (goesOn) parts.at(-1)!.push(band);
    else parts.push([band]);
    columns = goesOn ? common : own;
  }
  return parts;
}

function orderPart(boxes: Box[], gap: number): Placed[] {
  const spans = merge(boxes, gap);
  return spans.length === 1 ? linesOf(rowsOf(boxes)) : tableOf(rowsOf(boxes), spans);
}

function columnsOf(boxes: readonly Box[], spans: readonly Span[]): Box[][] {
  return spans.map((span) => boxes.filter(({ left, right }) => left >= span.left && right <= span.right));
}

function rowsOf(boxes: readonly Box[]): Row[] {
  return gather(boxes, sharesRow);
}

/** Rows, and rows of columns that are not level together. */
function bandsOf(boxes: readonly Box[], gap: number): Row[] {
  return gather(boxes, (a, b) => sharesRow(a, b) || (isBeside(a, b, gap) && overlap(a, b) > slightly * Math.min(height(a), height(b))));
}

function gather(boxes: readonly Box[], belongs: (a: Box, b: Box) => boolean): Row[] {
  const rows: Row[] = [];
  for (const box of boxes.toSorted((a, b) => middle(a) - middle(b))) {
    const row = rows.at(-1);
    if (row?.some((other) => belongs(other, box))) row.push(box);
    else rows.push([box]);
  }
  return rows.map((row) => row.sort((a, b) => a.left - b.left));
}

function sharesRow(a: Box, b: Box): boolean {
  return Math.abs(middle(a) - middle(b)) < 0.5 * Math.min(height(a), height(b));
}

function isBeside(a: Box, b: Box, gap: number): boolean {
  return a.right + gap < b.left || b.right + gap < a.left;
}

function overlap(a: Box, b: Box): number {
  return Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
}

/** One text after the other, words of one line with a space between them, paragraphs with an empty line. */
function linesOf(rows: Row[]): Placed[] {
  let before: Row | null = null;
  return rows.flatMap((row) => {
    const first = before === null || isParagraph(before, row) ? '\n\n' : '\n';
    before = row;
    return row.map(({ quad }, index) => ({ quad, before: index === 0 ? first : ' ' }));
  });
}

function isParagraph(above: Row, below: Row): boolean {
  const [a, b] = [Math.max(...above.map(({ bottom }) => bottom)), Math.min(...below.map(({ top }) => top))];
  return b - a > paragraphGap * median([...above, ...below].map(height));
}

/** Short texts in common rows. Sentences beside each other are columns even where their lines are level. */
function isTable(columns: Box[][]): boolean {
  const longest = columns.toSorted((a, b) => b.length - a.length)[0]!;
  const others = columns.filter((column) => column !== longest).flat();
  const isLevel = (a: Box, b: Box): boolean => Math.abs(middle(a) - middle(b)) < level * Math.min(height(a), height(b));
  const inRows = others.filter((box) => columns.some((column) => !column.includes(box) && column.some((other) => isLevel(box, other))));
  if (inRows.length < tabular * others.length) return false;
  return columns.some((column) => column.length < 3 || median(column.map((box) => (box.right - box.left) / height(box))) < proseWidth);
}

/** Row by row, with a tab for every column that is passed. */
function tableOf(rows: Row[], columns: Span[]): Placed[] {
  let before: Row | null = null;
  return rows.flatMap((row) => {
    const first = before === null || isParagraph(before, row) ? '\n\n' : '\n';
    before = row;
    let at = 0;
    return row.map(({ quad, left, right }, index) => {
      const column = columns.findIndex((span) => left >= span.left && right <= span.right);
      const gap = index > 0 && column === at ? ' ' : '\t'.repeat(column - at);
      at = column;
      return { quad, before: index === 0 ? first + gap : gap };
    });
  });
}

/** Spans that are less than `gap` apart are one. */
function merge(spans: readonly Span[], gap: number): Span[] {
  const merged: Span[] = [];
  for (const { left, right } of spans.toSorted((a, b) => a.left - b.left)) {
    const last = merged.at(-1);
    if (last && left - last.right < gap) last.right = Math.max(last.right, right);
    else merged.push({ left, right });
  }
  return merged;
}

const middle = ({ top, bottom }: Box): number => (top + bottom) / 2;
const height = ({ top, bottom }: Box): number => bottom - top;

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
