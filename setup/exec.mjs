// Child processes, and programs found on PATH.
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { constants as os } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';

/** @typedef {{ code: number | null, signal: NodeJS.Signals | null }} Ended */
/** @typedef {{ cwd?: string, env?: NodeJS.ProcessEnv }} Place */

/** The absolute path of a program on PATH. @param {string} name @returns {string | undefined} */
export function which(name) {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // not here
    }
  }
  return undefined;
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} options
 * @param {(child: import('node:child_process').ChildProcess) => void} [started]
 * @returns {Promise<Ended>}
 */
function ended(command, args, options, started) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, options);
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal }));
    started?.(child);
  });
}

/**
 * Runs a step whose output a person may want to follow; all of it goes to stderr. With a `label`, each line begins with it:
 * others run beside it.
 * @param {string} command @param {string[]} args @param {Place & { label?: string }} [place]
 */
export function follow(command, args, { label, ...place } = {}) {
  if (label === undefined) return ended(command, args, { ...place, stdio: ['ignore', 2, 2] });
  return ended(command, args, { ...place, stdio: ['ignore', 'pipe', 'pipe'] }, (child) => {
    for (const stream of [child.stdout, child.stderr]) if (stream) onLines(stream, (line) => process.stderr.write(`${label} | ${line}\n`));
  });
}

/**
 * As `follow`, and keeps the program's standard output.
 * @param {string} command
 * @param {string[]} args
 * @param {Place & { label: string }} place
 */
export async function followAndKeep(command, args, { label, ...place }) {
  let output = '';
  const end = await ended(command, args, { ...place, stdio: ['ignore', 'pipe', 2] }, (child) => {
    if (!child.stdout) return;
    onLines(child.stdout, (line) => {
      output += `${line}\n`;
      process.stderr.write(`${label} | ${line}\n`);
    });
  });
  return { ...end, output };
}

/** @param {import('node:stream').Readable} stream @param {(line: string) => void} onLine */
function onLines(stream, onLine) {
  createInterface({ input: stream, crlfDelay: Infinity }).on('line', onLine);
}

/**
 * Runs a step for its output. A program that cannot be started counts as one that failed.
 * @param {string} command @param {string[]} args @param {Place & { input?: string }} [place]
 * @returns {Promise<Ended & { stdout: string, stderr: string }>}
 */
export async function capture(command, args, { input, ...place } = {}) {
  let stdout = '';
  let stderr = '';
  try {
    const end = await ended(command, args, { ...place, stdio: 'pipe' }, (child) => {
      child.stdout?.setEncoding('utf8').on('data', (text) => (stdout += text));
      child.stderr?.setEncoding('utf8').on('data', (text) => (stderr += text));
      // A program that does not read its input to the end is not our failure.
      child.stdin?.on('error', () => {});
      child.stdin?.end(input ?? '');
    });
    return { ...end, stdout, stderr };
  } catch (error) {
    return { code: 127, signal: null, stdout, stderr: String(error) };
  }
}

/**
 * Runs a program in the foreground: the terminal is the program's until it ends. Returns the exit code to leave with.
 * Ctrl-C reaches the program by itself (same process group), so that this process only has to outlive it.
 * @param {string} command @param {string[]} args @param {Place} [place]
 */
export async function runInForeground(command, args, place = {}) {
  const ignore = () => {};
  process.on('SIGINT', ignore);
  const end = await ended(command, args, { ...place, stdio: 'inherit' }, (child) => {
    process.once('SIGTERM', () => child.kill('SIGTERM'));
  });
  process.off('SIGINT', ignore);
  return end.code ?? 128 + (end.signal ? os.signals[end.signal] : 0);
}

/** @param {Ended} end */
export function describeEnd(end) {
  return end.signal ? `ended by ${end.signal}` : `ended with code ${end.code}`;
}
