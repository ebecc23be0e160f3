/** Where the text that was read in a picture and an answer about it differ. */
import * as v from 'valibot';
import { count } from './common.ts';

export const difference = v.strictObject({
  /** Of its first character in the answer, in UTF-16 units. */
  offset: count,
  length: count,
  /** As the answer has it. */
  answer: v.string(),
  /** As the picture has it; null: nothing like it is in the picture's text. */
  picture: v.nullable(v.string()),
});

export type Difference = v.InferOutput<typeof difference>;

export function differenceInWords({ answer, picture }: Difference): string {
  return picture === null
    ? `The answer says ${answer}; the picture’s text does not have it.`
    : `The picture’s text says ${picture}; the answer says ${answer}.`;
}
