/**
 * What went wrong lately, read from the log; and the file with which a person asks for help. Nothing that a person wrote, named or keeps is
 * in it: of the log, only what is known to be ours passes (`known`), rather than all but what looks personal.
 */
import { readFileSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Device, Problem, Settings } from '../contract.ts';
import { isErrorCode, LoupeError } from '../errors.ts';
import { root } from './paths.ts';

/** The newest comes first; older ones tell little of today's. */
const mostProblems = 50;
/** Oldest first: the log and those before it, as log.ts names them. */
const logNames = ['loupe.3.log', 'loupe.2.log', 'loupe.1.log', 'loupe.log'];

interface Entry {
  at: number;
  /** The first line, without its time. */
  head: string;
  /** Frames of a stack, and causes. */
  rest: string[];
}

/** Sentences that Loupe writes into its log, in full. The last group is an error's code. */
const known = {
  started: /^Loupe \d[\d.]{0,19} started on (?:linux|darwin|win32) with Electron \d[\d.]{0,19}$/,
  ended:
    /^the process (?:Loupe )?(engine|pictures|documents|text|check|GPU|Utility|Zygote) ended(?: with code -?\d{1,12}|: (?:clean-exit|abnormal-exit|killed|crashed|oom|launch-failed|integrity-failure|memory-eviction), code -?\d{1,12})$/,
  lost: /^the engine was lost during ([a-z][a-z ]{2,40}) \(([a-z_]+)\)$/,
  unloaded: /^the model could not be loaded()? \(([a-z_]+)\)$/,
  stranger: /^a request from a page that is not ours was refused$/,
};
/** Of Node's, of the libraries that are used, and ours. */
const errorNames =
  /^(?:Error|(?:Type|Range|Syntax|Reference|URI|Eval|Aggregate|Loupe|Sqlite|Vali|Abort|Assertion|System)Error|DOMException)$/;
const foreignCode = /^(?:E[A-Z0-9]{2,15}|(?:ERR|UND_ERR|SQLITE)_[A-Z0-9_]{2,40})$/;

/** The kind and code of an error's line; null for any other line. */
function readError(line: string): { kind: string; code: string | undefined } | null {
  const [, kind = '', code] = /^(?:because of )?(\w+)(?: \((\w+)\))?$/.exec(line) ?? [];
  if (!errorNames.test(kind) || (code !== undefined && !isErrorCode(code) && !foreignCode.test(code))) return null;
  return { kind, code };
}

function isOurs(line: string): boolean {
  if (readError(line) || known.started.test(line) || known.ended.test(line) || known.stranger.test(line)) return true;
  return [known.lost, known.unloaded].some((sentence) => isErrorCode(sentence.exec(line)?.[2]));
}

/** Newest first. */
export function readProblems(logsDirectory: string): Problem[] {
  return readLog(logsDirectory).flatMap(problemOf).slice(-mostProblems).reverse();
}

function readLog(directory: string): Entry[] {
  const entries: Entry[] = [];
  for (const name of logNames) {
    for (const line of textOf(join(directory, name)).split('\n')) {
      const [, time, head] = /^(\d{4}-\d\d-\d\dT[\d:.]{8,12}Z) (.*)$/.exec(line) ?? [];
      if (time !== undefined && head !== undefined) entries.push({ at: Date.parse(time), head, rest: [] });
      else if (line !== '') entries.at(-1)?.rest.push(line);
    }
  }
  return entries;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function problemOf({ at, head }: Entry): Problem[] {
  if (!isOurs(head)) return [];
  const restart = 'Restart Loupe if it happens again, and save a file for your report.';
  const error = readError(head);
  if (error) {
    const code = isErrorCode(error.code) ? error.code : null;
    return [{ at, code, what: `Something failed in the background (${error.code ?? error.kind}).`, nextStep: stepOf(code) || restart }];
  }
  const [, process] = known.ended.exec(head) ?? [];
  if (process !== undefined)
    return [{ at, code: null, what: `The process “${process}” ended, and another took its place.`, nextStep: restart }];
  const [, task, lost = ''] = known.lost.exec(head) ?? [];
  if (task !== undefined)
    return [{ at, code: lost, what: `The engine stopped during “${task}” and was started again.`, nextStep: stepOf(lost) || restart }];
  const [, , load] = known.unloaded.exec(head) ?? [];
  if (load !== undefined) return [{ at, code: load, what: 'The model could not be loaded.', nextStep: stepOf(load) || restart }];
  return [];
}

const stepOf = (code: string | null): string => (code !== null && isErrorCode(code) ? new LoupeError(code, '').nextStep : '');

export interface BundleParts {
  version: string;
  host: string;
  logsDirectory: string;
  /** Null where they cannot be read, as while another Loupe has the folder. */
  settings: Settings | null;
  /** Null where they could not be listed. */
  devices: readonly Pick<Device, 'name' | 'memoryBytes' | 'suitable'>[] | null;
}

/** As text, so that whoever sends it can read it before. */
export function writeBundle({ version, host, logsDirectory, settings, devices }: BundleParts): string {
  const { node, electron, chrome, v8, uv } = process.versions as Record<string, string | undefined>;
  const bundle = {
    about: 'Made by Loupe for a report. It holds no conversation, picture, document, name or path of yours.',
    loupe: { version, host },
    system: { platform: process.platform, arch: arch(), release: release(), processors: cpus().length, memoryBytes: totalmem() },
    versions: { node, electron, chrome, v8, uv },
    devices,
    settings: settings && impersonal(settings),
    problems: readProblems(logsDirectory).map(({ at, code, what }) => ({ at: new Date(at).toISOString(), code, what })),
    log: readLog(logsDirectory).flatMap(passedOn),
  };
  return `${JSON.stringify(bundle, null, 2)}\n`;
}

/** Choices among few, numbers, and whether there is something; what was typed stays here. */
function impersonal(settings: Settings): Record<string, unknown> {
  const { theme, sendWith, contextLength, maxTokens, temperature, topP, autostart, startMinimised, closeToTray } = settings;
  const { searchPictures, secondReader, neverConnect, programs } = settings;
  return {
    ...{ theme, sendWith, contextLength, maxTokens, temperature, topP, autostart, startMinimised, closeToTray },
    ...{ searchPictures, secondReader, neverConnect, programs },
    model: settings.model === 'demo' ? 'demo' : 'another',
    hasDevice: settings.device !== null,
    hasHotkey: settings.hotkey !== null,
    hasFolderForModels: settings.modelsDirectory !== null,
    hasGuard: settings.guard !== null,
    systemPromptCharacters: settings.systemPrompt.length,
    prompts: settings.prompts.length,
  };
}

function passedOn({ at, head, rest }: Entry): string[] {
  return [`${new Date(at).toISOString()} ${isOurs(head) ? head : '(left out)'}`, ...rest.flatMap(placeOf)];
}

/** Of a frame the place in our own code or Node's; of another line whether it is a cause. */
function placeOf(line: string): string[] {
  if (readError(line)) return [line];
  const [, inNode, path, position] =
    /^\s+at .*?(?:\b(node:[\w/]+:\d+:\d+)|(?:file:\/\/)?(\/[^()]*?|[A-Z]:[^()]*?)(:\d+(?::\d+)?))\)?$/.exec(line) ?? [];
  if (inNode !== undefined) return [`    at ${inNode}`];
  return path?.startsWith(root) ? [`    at ${path.slice(root.length).replace(/^[/\\]+/, '')}${position ?? ''}`] : [];
}
