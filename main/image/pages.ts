/** Files that hold several pictures: pages (TIFF, AVIF), frames (GIF, WebP, APNG), sizes (ICO). One of them is looked at. */
import type { PagePart } from '../contract.ts';
import { apngFrames, readApng } from './apng.ts';
import { asStill, sequenceLength } from './avif.ts';
import { readDib } from './bmp.ts';
import { sniff, type Format } from './formats.ts';
import type { Pixels } from './raw-pixels.ts';
import { layOnGround } from './ground.ts';
import { iconSizes, largestSize } from './ico.ts';
import { isPlain, readFrames, readHeader, readPixels, readPng } from './pixels.ts';
import { isolatePage, tiffPages } from './tiff.ts';

export interface PageFile {
  unit: PagePart['unit'];
  count: number;
  /** The first of them can be chosen: to reach a frame all before it have to be decoded. */
  offered: number;
  /** Number of the one that is looked at where nobody chose, from 1 on. */
  usual(): Promise<number>;
  /** One after the other, from a number on; at most so many are taken. */
  read(from: number, most: number): AsyncGenerator<Pixels>;
}

/** Pixels that may be decoded to reach a frame: seconds, whatever the file claims. */
const reach = 2_000_000_000;
/** Frames that are held at once, and their pixels. */
const group = { frames: 24, pixels: 60_000_000 };
/** Frames that are searched for one with something on it, and their pixels. */
const search = { frames: 48, pixels: 200_000_000 };
/** Frames that a window asks for at once. */
const usualRequest = 6;

/** Null for a file of one picture. */
export async function openPages(bytes: Uint8Array, format: Format, name: string): Promise<PageFile | null> {
  switch (format) {
    case 'tiff':
      return openTiff(bytes, name);
    case 'gif':
    case 'webp':
      return openAnimation(bytes, name);
    case 'png':
      return openApng(bytes, name);
    case 'avif':
      return openAvif(bytes, name);
    case 'ico':
      return openIcon(bytes, name);
    case 'jpeg':
    case 'bmp':
    case 'dib':
      return null;
    default:
      return format satisfies never;
  }
}

function openTiff(bytes: Uint8Array, name: string): PageFile | null {
  const pages = tiffPages(bytes);
  // The decoder says what is wrong with a file that has none.
  if (pages.length === 0) return null;
  const read = (number: number): Promise<Pixels> => readPixels(isolatePage(bytes, pages[number - 1]!), 'tiff', name);
  return { unit: 'page', ...all(pages.length), usual: async () => 1, read: each(pages.length, read) };
}

async function openAvif(bytes: Uint8Array, name: string): Promise<PageFile | null> {
  const frames = sequenceLength(bytes);
  const still = (): Promise<Pixels> => readPixels(bytes, 'avif', name);
  if (frames > 1) return { unit: 'frame', count: frames, offered: 1, usual: async () => 1, read: each(1, still) };
  const { pages = 1, pagePrimary = 0 } = await readHeader(asStill(bytes), name);
  return pages > 1
    ? {
        unit: 'page',
        ...all(pages),
        usual: async () => pagePrimary + 1,
        read: each(pages, (number) => readPixels(bytes, 'avif', name, number - 1)),
      }
    : null;
}

function openIcon(bytes: Uint8Array, name: string): PageFile {
  const sizes = iconSizes(bytes, name);
  const read = async (number: number): Promise<Pixels> => {
    const { bytes: size } = sizes[number - 1]!;
    return sniff(size) === 'png' ? readPixels(size, 'png', name) : readDib(size, name, { icon: true });
  };
  return { unit: 'size', ...all(sizes.length), usual: async () => largestSize(sizes) + 1, read: each(sizes.length, read) };
}

async function openAnimation(bytes: Uint8Array, name: string): Promise<PageFile | null> {
  const { pages = 1, width, height, pageHeight } = await readHeader(bytes, name);
  if (pages < 2) return null;
  const pixels = width * (pageHeight ?? height);
  const together = Math.max(1, Math.min(group.frames, Math.floor(group.pixels / pixels)));
  // Each group is decoded from the first frame on.
  const offered = reachable(pages, pixels * Math.ceil(usualRequest / together));
  async function* read(from: number, most: number): AsyncGenerator<Pixels> {
    const end = Math.min(offered, from + most - 1);
    for (let at = from; at <= end; at += together) yield* await readFrames(bytes, name, at - 1, Math.min(together, end - at + 1));
  }
  return { unit: 'frame', count: pages, offered, usual: () => firstWithContent(read, pixels), read };
}

async function openApng(bytes: Uint8Array, name: string): Promise<PageFile | null> {
  const apng = readApng(bytes);
  if (!apng) return null;
  await readHeader(bytes, name);
  const pixels = apng.width * apng.height;
  const offered = reachable(apng.frames.length, pixels);
  async function* read(from: number): AsyncGenerator<Pixels> {
    let number = 0;
    for await (const frame of apngFrames(apng!, readPng)) {
      number++;
      if (number > offered) return;
      if (number >= from) yield frame;
    }
  }
  return { unit: 'frame', count: apng.frames.length, offered, usual: () => firstWithContent(read, pixels), read };
}

function all(count: number): Pick<PageFile, 'count' | 'offered'> {
  return { count, offered: count };
}

function reachable(count: number, pixels: number): number {
  return Math.max(1, Math.min(count, Math.floor(reach / pixels)));
}

function each(count: number, read: (number: number) => Promise<Pixels>): PageFile['read'] {
  return async function* (from) {
    for (let number = from; number <= count; number++) yield await read(number);
  };
}

/** Recordings fade in: the first frame that is not of one colour; the first of all where none is. */
async function firstWithContent(read: PageFile['read'], pixels: number): Promise<number> {
  const most = Math.min(search.frames, Math.max(1, Math.floor(search.pixels / pixels)));
  let number = 0;
  for await (const frame of read(1, most)) {
    number++;
    if (!isPlain({ ...layOnGround(frame), channels: 3 })) return number;
    if (number >= most) break;
  }
  return 1;
}
