/** Whether other programs on this computer are answered, as the settings say: the local API beside the app. */
import type { ProgramsState, Settings } from '../contract.ts';
import { toFailure } from '../errors.ts';
import type { Ledger, ProgramBytes, SecretStore } from './ports.ts';

export interface ProgramServer {
  readonly port: number;
  /** Cancels what is being answered. */
  close(): Promise<void>;
}

export interface ListenOptions {
  port: number;
  key: string;
  /** Called after each request that was answered. */
  onAnswered: (bytes: ProgramBytes) => void;
}

export interface ProgramsOptions {
  settings: () => Pick<Settings, 'programs' | 'programsPort'>;
  secrets: SecretStore;
  /** On 127.0.0.1. Rejects with `port_unavailable`. */
  listen: (options: ListenOptions) => Promise<ProgramServer>;
  newKey: () => string;
  /** Called with the bytes of each request that was answered. */
  count: (bytes: ProgramBytes) => void;
  onChange: (state: ProgramsState) => void;
}

export interface Programs {
  state(): ProgramsState;
  /** Starts, stops or moves to another port, as the settings say now. Never rejects. */
  follow(): Promise<void>;
  /** Rejects with `file_unwritable` where it cannot be kept: the old one then still counts. */
  newKey(): Promise<string>;
  close(): Promise<void>;
}

export function createPrograms({ settings, secrets, listen, newKey, count, onChange }: ProgramsOptions): Programs {
  let running: { server: ProgramServer; wanted: number; key: string } | null = null;
  let current: ProgramsState = { status: 'off', port: null, key: null, keyProblem: null, answered: 0, failure: null };
  let isClosed = false;
  /** One step after the other: a switch may be turned on and off faster than a port is taken and left. */
  let steps: Promise<void> = Promise.resolve();

  function change(to: Partial<ProgramsState>): void {
    current = { ...current, ...to };
    if (!isClosed) onChange(current);
  }

  async function stop(): Promise<void> {
    const { server } = running ?? {};
    running = null;
    await server?.close();
  }

  async function step(): Promise<void> {
    const key = await secrets.get('api-key');
    const of = { key: key === null ? null : secrets.kept, keyProblem: secrets.problem('api-key') };
    const { programs, programsPort: wanted } = wish(settings);
    const isWanted = programs && !isClosed;
    if (running && isWanted && running.wanted === wanted && running.key === key) return change(of);
    await stop();
    if (!isWanted || key === null) return change({ ...of, status: isWanted ? 'keyless' : 'off', port: null, failure: null });
    change({ ...of, status: 'starting', port: null, failure: null });
    try {
      const onAnswered = (bytes: ProgramBytes): void => {
        change({ answered: current.answered + 1 });
        count(bytes);
      };
      const server = await listen({ port: wanted, key, onAnswered });
      running = { server, wanted, key };
      change({ status: 'ready', port: server.port });
    } catch (thrown) {
      change({ status: 'failed', failure: failureOf(thrown) });
    }
  }

  const follow = (): Promise<void> =>
    (steps = steps.then(step).catch((thrown) => change({ status: 'failed', failure: failureOf(thrown) })));

  return {
    state: () => current,
    follow,
    async newKey() {
      const key = newKey();
      await secrets.set('api-key', key);
      await follow();
      return key;
    },
    async close() {
      isClosed = true;
      await follow();
    },
  };
}

/** A disk that cannot be written to costs the count, and no answer. */
export function countInLedger(ledger: Pick<Ledger, 'addProgram'>, onFault: (error: unknown) => void): (bytes: ProgramBytes) => void {
  return (bytes) => {
    try {
      ledger.addProgram({ at: Date.now(), ...bytes });
    } catch (error) {
      onFault(error);
    }
  };
}

/** A store that cannot be opened asks for nothing. */
function wish(settings: ProgramsOptions['settings']): Pick<Settings, 'programs' | 'programsPort'> {
  try {
    return settings();
  } catch {
    return { programs: false, programsPort: 0 };
  }
}

/** In a window nobody names a port with a flag. */
function failureOf(thrown: unknown): ProgramsState['failure'] {
  const failure = toFailure(thrown);
  const isTaken = failure.code === 'port_unavailable';
  return isTaken ? { ...failure, nextStep: 'Choose another port below, or end the program that uses this one.' } : failure;
}
