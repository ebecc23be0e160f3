/**
 * Probabilities of characters along a line -> its text, by the likeliest character of each step (connectionist temporal
 * classification: Graves et al., ICML 2006). Class 0 is the blank that stands between two equal characters.
 */
export interface Decoded {
  text: string;
  /** Mean probability of its characters; 0 for no text. */
  confidence: number;
  /** Middle of each character along the line, from 0 to 1. */
  places: number[];
}

/** `probabilities`: [steps, classes]; `characters`: what the classes from 1 on stand for, one or more UTF-16 units each. */
export function decode(probabilities: Float32Array, classes: number, characters: readonly string[]): Decoded {
  const steps = probabilities.length / classes;
  const places: number[] = [];
  let text = '';
  let sum = 0;
  let before = 0;
  for (let step = 0; step < steps; step++) {
    const offset = step * classes;
    let likeliest = 0;
    for (let index = 1; index < classes; index++)
      if (probabilities[offset + index]! > probabilities[offset + likeliest]!) likeliest = index;
    if (likeliest !== 0 && likeliest !== before) {
      const character = characters[likeliest - 1] ?? '';
      text += character;
      // One place for every UTF-16 unit, so that text and places have the same length.
      for (let unit = 0; unit < character.length; unit++) places.push((step + 0.5) / steps);
      sum += probabilities[offset + likeliest]! * character.length;
    }
    before = likeliest;
  }
  return { text, confidence: places.length > 0 ? sum / places.length : 0, places };
}

export interface PlacedWord {
  text: string;
  /** Along the line, from 0 to 1. */
  from: number;
  to: number;
}

/** A word reaches half a character beyond the middles of its first and last, and at most half way to its neighbours. */
export function wordsOf({ text, places }: Pick<Decoded, 'text' | 'places'>): PlacedWord[] {
  const pitch = places.length > 1 ? (places.at(-1)! - places[0]!) / (places.length - 1) : 1;
  return [...text.matchAll(/\S+/gu)].map(({ 0: word, index }) => {
    const end = index + word.length;
    const [first, last] = [places[index]!, places[end - 1]!];
    const before = text.slice(0, index).trimEnd().length;
    const after = end + (text.slice(end).length - text.slice(end).trimStart().length);
    const least = before > 0 ? (places[before - 1]! + first) / 2 : 0;
    const most = after < places.length ? (last + places[after]!) / 2 : 1;
    return { text: word, from: Math.max(least, first - pitch / 2), to: Math.min(most, last + pitch / 2) };
  });
}
