import {
  ContractError,
  parseEvent,
  parseOutput,
  type EventMessage,
  type Input,
  type Output,
  type RequestName,
} from '../../main/contract.ts';
import { strings } from '../strings.ts';
import { createListeners, type Subscriptions } from './listeners.ts';
import { RequestFailure, type Transport } from './transport.ts';

/** The contract as the window uses it. Rejects with `RequestFailure` only. */
export interface Client extends Subscriptions {
  request<Name extends RequestName>(name: Name, input: Input<Name>): Promise<Output<Name>>;
}

export function createClient(transport: Transport): Client {
  const listeners = createListeners();

  transport.onConnection(listeners.tellConnection);

  transport.onEvent((message) => {
    let parsed: EventMessage;
    try {
      parsed = parseEvent(message);
    } catch (error) {
      // A window and an app of different versions. Requests fail with words; an event nobody asked for is dropped.
      if (error instanceof ContractError) return;
      throw error;
    }
    listeners.tell(parsed.event, parsed.payload);
  });

  return {
    async request(name, input) {
      return readReply(name, await transport.request(name, input));
    },
    on: listeners.on,
    onConnection: listeners.onConnection,
  };
}

function readReply<Name extends RequestName>(name: Name, reply: unknown): Output<Name> {
  const { ok, output, code, message, nextStep } = (reply ?? {}) as Record<string, unknown>;
  if (ok !== true) {
    throw new RequestFailure({
      code: typeof code === 'string' ? code : 'protocol',
      message: typeof message === 'string' ? message : strings.failures.noReply(name),
      nextStep: typeof nextStep === 'string' ? nextStep : strings.failures.versions,
    });
  }
  try {
    return parseOutput(name, output);
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    throw new RequestFailure({ code: 'protocol', message: error.message, nextStep: strings.failures.versions });
  }
}

/** Anything thrown, as a failure that can be shown. */
export function toRequestFailure(thrown: unknown): RequestFailure {
  if (thrown instanceof RequestFailure) return thrown;
  return new RequestFailure({
    code: 'internal',
    message: thrown instanceof Error ? thrown.message : String(thrown),
    nextStep: strings.failures.report,
  });
}
