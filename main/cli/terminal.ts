/** What a command may touch of the outside, so that tests can stand in for it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { ApiAddress, ToolRequest } from '../api/call.ts';
import type { ArchiveServices, ArchiveServicesOptions } from '../archive-services.ts';
import type { DocumentServices, DocumentServicesOptions } from '../document-services.ts';
import type { ModelServices, ModelServicesOptions } from '../model-services.ts';
import { root } from '../host/paths.ts';
import { toLoupeError, type Failure, type LoupeError } from '../errors.ts';
import type { ToolAnswer } from '../program-tools.ts';
import type { ConfinedPictureWorker } from '../image/picture-client.ts';
import type { DocumentReader, Engine, TextRecogniser } from '../services/ports.ts';

export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** A person watches stderr. */
  readonly errIsTerminal: boolean;
  /** A person types stdin; absent = nobody does. */
  readonly inputIsTerminal?: boolean;
  /** stdin to its end. */
  readInput(): Promise<string>;
  /** stdin as it comes, for bytes that are not text. */
  input(): Readable;
  startEngine(): Engine;
  startPictures(): ConfinedPictureWorker;
  startOcr(): TextRecogniser;
  startDocuments(): DocumentReader;
  /** The models of a data folder; nobody else may have it open, unless it is only read. */
  openModels(options: ModelServicesOptions): Promise<ModelServices>;
  /** The library of documents in a data folder; nobody else may have it open, unless it is only read. */
  openDocuments(options: DocumentServicesOptions): Promise<DocumentServices>;
  /** All that is in a data folder; nobody else may have it open, unless it is only read. */
  openArchives(options: ArchiveServicesOptions): Promise<ArchiveServices>;
  /** Starts the app for this machine's browser. */
  startWeb(options: { dataDirectory: string; port: number | undefined }): Promise<WebApp>;
  /** Starts the API for this machine's programs. */
  startApi(options: ApiOptions): Promise<ApiApp>;
  /** Has a Loupe that is open do something for a program, once the person allows it. */
  callTool(address: ApiAddress, request: ToolRequest, signal: AbortSignal): Promise<ToolAnswer>;
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly interrupted: AbortSignal;
}

export interface WebApp {
  /** A link that opens it once. */
  link(): string;
  /** False where there is no browser to open it in. */
  open(link: string): Promise<boolean>;
  /** What is wrong with the data that it keeps; null where nothing is known. */
  problem(): Failure | null;
  close(): Promise<void>;
}

export interface ApiOptions {
  dataDirectory: string;
  port: number;
  /** Absent: a new one. */
  key: string | undefined;
  /** Of pages that may use it. */
  origins: readonly string[];
}

export interface ApiApp {
  readonly port: number;
  readonly key: string;
  close(): Promise<void>;
}

export const exitCodes = { ok: 0, failure: 1, usage: 2, interrupted: 130 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What, why and the next step in plain lines; with `json` also as one object on stdout. */
export function reportFailure(terminal: Terminal, thrown: unknown, json: boolean): ExitCode {
  const error = toLoupeError(thrown);
  terminal.err(`loupe: ${error.message}\n`);
  if (error.nextStep) terminal.err(`${error.nextStep}\n`);
  if (json) terminal.out(`${JSON.stringify(error.toFailure())}\n`);
  return exitCodeOf(error, terminal);
}

function exitCodeOf({ code }: LoupeError, terminal: Terminal): ExitCode {
  if (terminal.interrupted.aborted) return exitCodes.interrupted;
  return code === 'usage' || code === 'image_several' ? exitCodes.usage : exitCodes.failure;
}

export function loupeVersion(): string {
  const text = readFileSync(join(root, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/**
 * What a terminal would obey, made visible: the text of documents, pictures and models and the names of files may hold any character.
 * `mayRedraw`: Loupe's own lines of progress go back to their beginning and erase what was there.
 */
export function withoutCommands(text: string, { mayRedraw = false }: { mayRedraw?: boolean } = {}): string {
  const control = mayRedraw ? /\r(?:\u001b\[K)?|\r\n|[^\P{Cc}\n\t]/gu : /\r\n|[^\P{Cc}\n\t]/gu;
  return text.replace(control, (found) => {
    const code = found.codePointAt(0)!;
    if (found.length > 1 || (mayRedraw && found === '\r')) return found;
    // Unicode has a picture of each of the first 32, and of the one behind the letters.
    return String.fromCodePoint(code < 0x20 ? 0x2400 + code : code === 0x7f ? 0x2421 : 0xfffd);
  });
}

export function lineWriter(terminal: Terminal): (line: string) => void {
  return (line) => terminal.out(`${line}\n`);
}
