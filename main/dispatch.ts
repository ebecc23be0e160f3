/** An untyped request from a window -> its handler -> a reply. The one way in, whatever the host. */
import { ContractError, isRequestName, parseInput, type Failure, type Handlers, type RequestName } from './contract.ts';
import { LoupeError, toFailure } from './errors.ts';

export type Reply = { ok: true; output: unknown } | Failure;

/** Never rejects. `onFault` gets failures that are faults in Loupe itself. */
export async function dispatch(
  handlers: Handlers,
  name: unknown,
  input: unknown,
  onFault: (error: unknown) => void = () => {},
): Promise<Reply> {
  try {
    if (!isRequestName(name)) throw new LoupeError('protocol', `There is no request ${JSON.stringify(name)}.`);
    const handle = handlers[name] as (input: unknown) => unknown;
    return { ok: true, output: await handle(parse(name, input)) };
  } catch (error) {
    const failure = toFailure(error);
    if (failure.code === 'internal') onFault(error);
    return failure;
  }
}

function parse(name: RequestName, input: unknown): unknown {
  try {
    return parseInput(name, input);
  } catch (error) {
    if (error instanceof ContractError)
      throw new LoupeError('protocol', `The window sent a request that the app does not understand (${error.message}).`);
    throw error;
  }
}
