import type { Message } from '../../main/contract.ts';

/** A guard answered: what counts of its words is the verdict. */
export function isVerdict({ judgement, model }: Message): boolean {
  return judgement !== null && judgement.by === model;
}
