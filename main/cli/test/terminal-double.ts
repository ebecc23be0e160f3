/** A terminal for tests of commands: what it is told is kept, nobody watches it, and what a test does not bring is refused. */
import { Readable } from 'node:stream';
import type { Terminal } from '../terminal.ts';

export interface TerminalDouble extends Terminal {
  /** What the command said so far, by stream. */
  readonly said: { out: string; err: string };
}

export function terminalDouble(parts: Partial<Terminal> = {}): TerminalDouble {
  const said = { out: '', err: '' };
  const refuse = (): never => {
    throw new Error('not in this test');
  };
  return {
    said,
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
    errIsTerminal: false,
    readInput: refuse,
    input: () => Readable.from([]),
    startEngine: refuse,
    startPictures: refuse,
    startOcr: refuse,
    startDocuments: refuse,
    openModels: refuse,
    openDocuments: refuse,
    openArchives: refuse,
    startWeb: refuse,
    startApi: refuse,
    callTool: refuse,
    interrupted: new AbortController().signal,
    ...parts,
  };
}
