/**
 * Bilinear resize with antialiasing for RGB bytes, equal bit for bit to Pillow's
 * `Image.resize(..., BILINEAR)` (up to version 12): a horizontal pass, then a vertical one, fixed-point
 * weights of 22 fractional bits, rounding to bytes after each pass.
 */
import type { Size } from '../tiles.ts';

export interface RgbPicture extends Size {
  /** [height, width, 3], rows without gaps. */
  data: Uint8Array;
}

/** 32 bits less 8 of the pixel and 2 of headroom. */
const precisionBits = 22;
const half = 1 << (precisionBits - 1);

export function resizeBilinear(picture: RgbPicture, size: Size): RgbPicture {
  const wide = size.width === picture.width ? picture : resizeRows(picture, size.width);
  return size.height === wide.height ? wide : resizeColumns(wide, size.height);
}

/** For each output position: first input position, number of inputs, and their weights (`stride` apart). */
interface Filter {
  stride: number;
  first: Int32Array;
  count: Int32Array;
  weights: Int32Array;
}

/** A triangle of half-width max(1, scale) around each output centre, normalised, then rounded away from zero. */
function triangleFilter(inputs: number, outputs: number): Filter {
  const scale = inputs / outputs;
  const support = Math.max(1, scale);
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outputs);
  const count = new Int32Array(outputs);
  const weights = new Int32Array(outputs * stride);
  const exact = new Float64Array(stride);
  // Pillow multiplies by the reciprocal; dividing would differ in the last bit.
  const perSupport = 1 / support;
  for (let output = 0; output < outputs; output++) {
    const centre = (output + 0.5) * scale;
    const begin = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(inputs, Math.trunc(centre + support + 0.5));
    let sum = 0;
    for (let input = begin; input < end; input++) {
      const distance = Math.abs((input - centre + 0.5) * perSupport);
      const weight = distance < 1 ? 1 - distance : 0;
      exact[input - begin] = weight;
      sum += weight;
    }
    for (let i = 0; i < end - begin; i++) {
      const weight = sum === 0 ? exact[i]! : exact[i]! / sum;
      weights[output * stride + i] = Math.trunc(0.5 + weight * (1 << precisionBits));
    }
    first[output] = begin;
    count[output] = end - begin;
  }
  return { stride, first, count, weights };
}

function resizeRows(picture: RgbPicture, width: number): RgbPicture {
  const { stride, first, count, weights } = triangleFilter(picture.width, width);
  const source = picture.data;
  const data = new Uint8Array(width * picture.height * 3);
  let to = 0;
  for (let y = 0; y < picture.height; y++) {
    const row = y * picture.width;
    for (let x = 0; x < width; x++) {
      let red = half;
      let green = half;
      let blue = half;
      let from = (row + first[x]!) * 3;
      const begin = x * stride;
      const end = begin + count[x]!;
      for (let k = begin; k < end; k++) {
        const weight = weights[k]!;
        red += source[from]! * weight;
        green += source[from + 1]! * weight;
        blue += source[from + 2]! * weight;
        from += 3;
      }
      data[to] = toByte(red);
      data[to + 1] = toByte(green);
      data[to + 2] = toByte(blue);
      to += 3;
    }
  }
  return { width, height: picture.height, data };
}

/** Row by row, so that memory is read in order. */
function resizeColumns(picture: RgbPicture, height: number): RgbPicture {
  const { stride, first, count, weights } = triangleFilter(picture.height, height);
  const rowBytes = picture.width * 3;
  const source = picture.data;
  const data = new Uint8Array(height * rowBytes);
  const sums = new Int32Array(rowBytes);
  for (let y = 0; y < height; y++) {
    sums.fill(half);
    for (let k = 0; k < count[y]!; k++) {
      const weight = weights[y * stride + k]!;
      let from = (first[y]! + k) * rowBytes;
      for (let i = 0; i < rowBytes; i++) sums[i]! += source[from++]! * weight;
    }
    const to = y * rowBytes;
    for (let i = 0; i < rowBytes; i++) data[to + i] = toByte(sums[i]!);
  }
  return { width: picture.width, height, data };
}

function toByte(sum: number): number {
  const value = sum >> precisionBits;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}
