/** Draws the icons of every system from the SVG files beside this one: `node resources/icons/make.ts`. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Below this, the drawing without fine lines is the clearer one. */
const smallBelow = 64;

async function draw(size: number, source = size < smallBelow ? 'icon-small.svg' : 'icon.svg'): Promise<Buffer> {
  const { width = 1 } = await sharp(here(source)).metadata();
  // Rendered at the size itself: scaling afterwards would blur it.
  return sharp(here(source), { density: (72 * size) / width })
    .resize(size, size)
    .png({ compressionLevel: 9 })
    .toBuffer();
}

/** Windows: a directory of sizes, each a PNG file. */
function ico(pictures: { size: number; png: Buffer }[]): Buffer {
  const header = Buffer.alloc(6 + 16 * pictures.length);
  header.writeUInt16LE(1, 2);
  header.writeUInt16LE(pictures.length, 4);
  let offset = header.length;
  for (const [index, { size, png }] of pictures.entries()) {
    const at = 6 + 16 * index;
    // 0 stands for 256.
    header.writeUInt8(size % 256, at);
    header.writeUInt8(size % 256, at + 1);
    header.writeUInt16LE(1, at + 4);
    header.writeUInt16LE(32, at + 6);
    header.writeUInt32LE(png.length, at + 8);
    header.writeUInt32LE(offset, at + 12);
    offset += png.length;
  }
  return Buffer.concat([header, ...pictures.map(({ png }) => png)]);
}

/** macOS: chunks with a type for each size; several types are the doubled pixels of a smaller one. */
function icns(chunks: { type: string; png: Buffer }[]): Buffer {
  const body = chunks.map(({ type, png }) => {
    const head = Buffer.alloc(8);
    head.write(type, 'latin1');
    head.writeUInt32BE(8 + png.length, 4);
    return Buffer.concat([head, png]);
  });
  const head = Buffer.alloc(8);
  head.write('icns', 'latin1');
  head.writeUInt32BE(8 + body.reduce((sum, { length }) => sum + length, 0), 4);
  return Buffer.concat([head, ...body]);
}

const linuxSizes = [16, 32, 48, 64, 128, 256, 512];
const windowsSizes = [16, 24, 32, 48, 64, 128, 256];
const macTypes: [type: string, size: number][] = [
  ['ic11', 32],
  ['ic12', 64],
  ['ic07', 128],
  ['ic13', 256],
  ['ic08', 256],
  ['ic14', 512],
  ['ic09', 512],
  ['ic10', 1024],
];

for (const size of linuxSizes) writeFileSync(here(`${size}x${size}.png`), await draw(size));
writeFileSync(here('loupe.ico'), ico(await Promise.all(windowsSizes.map(async (size) => ({ size, png: await draw(size) })))));
writeFileSync(here('loupe.icns'), icns(await Promise.all(macTypes.map(async ([type, size]) => ({ type, png: await draw(size) })))));
for (const [name, source] of [
  ['tray', 'tray.svg'],
  ['trayTemplate', 'tray-template.svg'],
] as const) {
  writeFileSync(here(`${name}.png`), await draw(16, source));
  writeFileSync(here(`${name}@2x.png`), await draw(32, source));
}
