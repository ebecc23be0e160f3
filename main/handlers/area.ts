import type { Handlers, RequestName } from '../contract.ts';

/** The handlers of requests whose names begin with one of these. */
export type AreaHandlers<Area extends string> = Pick<Handlers, Extract<RequestName, `${Area}.${string}`>>;

/** A handler whose reply says no more than that the work is done. */
export function done<Input>(work: (input: Input) => unknown): (input: Input) => Promise<null> {
  return async (input) => {
    await work(input);
    return null;
  };
}
