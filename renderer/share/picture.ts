/** A shared conversation as one tall picture: the page, laid out by the browser in an SVG and drawn on a canvas. */
import { shareStyle } from './style.ts';
import { h, toMarkup, toNode, type Element } from './tree.ts';

/** Wide enough for the page's measure, px. */
const width = 720;
/** Pixels of the picture a pixel of the page: sharp on today's displays, less where the picture would get too high. */
const scales = [2, 1.5, 1];
/** Higher ones are refused by browsers, and by the programs that they are sent to. */
const mostHeight = 16_000;

/** PNG. Null where it would be too tall to be drawn. `block`: of `sharedBlock`. */
export async function drawPicture(block: Element): Promise<Blob | null> {
  const height = await heightOf(block);
  const scale = scales.find((one) => height * one <= mostHeight);
  if (scale === undefined) return null;
  const size = { width: String(width), height: String(height) };
  const svg = h('svg', { xmlns: 'http://www.w3.org/2000/svg', ...size }, h('style', {}, shareStyle), h('foreignObject', size, block));
  const image = new Image();
  // Not as a blob: a canvas that such a one was drawn on gives nothing back.
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(toMarkup(svg))}`;
  await image.decode();
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext('2d')!;
  context.scale(scale, scale);
  context.drawImage(image, 0, 0, width, height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('The browser could not write the picture.'))), 'image/png');
  });
}

/** How high the page is, laid out out of sight with the same style and nothing of the window's. */
async function heightOf(block: Element): Promise<number> {
  const place = document.createElement('div');
  place.style.cssText = `position:fixed;left:-9999px;top:0;width:${width}px;visibility:hidden`;
  const root = place.attachShadow({ mode: 'closed' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(shareStyle);
  root.adoptedStyleSheets = [sheet];
  root.append(toNode(block));
  document.body.append(place);
  try {
    await Promise.all([...root.querySelectorAll('img')].map((image) => image.decode()));
    return Math.ceil(root.firstElementChild!.getBoundingClientRect().height);
  } finally {
    place.remove();
  }
}
