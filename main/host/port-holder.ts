/** Which program has a TCP port of this machine, as far as the system shows without special rights. */
import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { endianness } from 'node:os';
import { basename } from 'node:path';

export interface PortHolder {
  /** As a person would call it, "python3 server.py"; null where the system does not show it. */
  program: string | null;
  pid: number | null;
  /** It runs as somebody else, so that its name is not ours to read. */
  ofAnotherUser: boolean;
}

const unknown: PortHolder = { program: null, pid: null, ofAnotherUser: false };
/** A name is not worth a long wait. */
const commandTimeoutMs = 3000;

export async function findPortHolder(port: number): Promise<PortHolder> {
  try {
    if (process.platform === 'linux') return await linuxHolder(port);
    if (process.platform === 'win32') return await windowsHolder(port);
    return readLsof(await output('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc']));
  } catch {
    return unknown;
  }
}

/** "another Loupe (process 4242)" */
export function describeHolder({ program, pid, ofAnotherUser }: PortHolder): string {
  const process = pid === null ? '' : ` (process ${pid})`;
  if (program !== null) return `${/^loupe\b|\bloupe\.[tj]s$/i.test(program) ? 'another Loupe' : program}${process}`;
  return ofAnotherUser ? 'a program of another user' : `another program${process}`;
}

async function linuxHolder(port: number): Promise<PortHolder> {
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'latin1').catch(() => '')));
  const socket = findSocket(tables.join('\n'), port);
  if (!socket) return unknown;
  const pid = await processWithSocket(socket.inode);
  if (pid === null) return { ...unknown, ofAnotherUser: socket.user !== process.getuid?.() };
  return { ...unknown, program: programOf(await readFile(`/proc/${pid}/cmdline`, 'utf8')), pid };
}

/** Of /proc/net/tcp and tcp6: the socket that keeps 127.0.0.1:`port`; one that listens before one that is connected. */
export function findSocket(tables: string, port: number, order: 'LE' | 'BE' = endianness()): { inode: string; user: number } | null {
  const loopback = order === 'LE' ? '0100007F' : '7F000001';
  const mapped = `${'0'.repeat(16)}${order === 'LE' ? 'FFFF0000' : '0000FFFF'}`;
  const addresses = ['00000000', loopback, '0'.repeat(32), `${mapped}00000000`, mapped + loopback];
  const rows = tables
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .map(([, local = '', , state, , , , user, , inode = '0']) => {
      const [address = '', hex = ''] = local.split(':');
      return { address, port: parseInt(hex, 16), state, user: Number(user), inode };
    })
    .filter((row) => row.port === port && addresses.includes(row.address) && row.inode !== '0');
  return rows.find(({ state }) => state === '0A') ?? rows[0] ?? null;
}

async function processWithSocket(inode: string): Promise<number | null> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    const folder = `/proc/${pid}/fd`;
    const numbers = await readdir(folder).catch(() => []);
    const targets = await Promise.all(numbers.map((number) => readlink(`${folder}/${number}`).catch(() => '')));
    if (targets.includes(`socket:[${inode}]`)) return Number(pid);
  }
  return null;
}

/** Of a command line with zeros between its arguments: the program, and the script that an interpreter runs. */
export function programOf(commandLine: string): string | null {
  const [command = '', script = ''] = commandLine.split('\0');
  const isScript = !script.startsWith('-') && /[./\\]/.test(script);
  const words = [command, ...(isScript ? [script] : [])].map((path) =>
    basename(path)
      .replace(/\p{Cc}+/gu, ' ')
      .trim(),
  );
  return words.join(' ').trim().slice(0, 60) || null;
}

/** What `lsof -Fpc` writes: a line "p" and number, a line "c" and name. */
export function readLsof(text: string): PortHolder {
  const field = (letter: string): string | null =>
    text
      .split(/\r?\n/)
      .find((line) => line.startsWith(letter))
      ?.slice(1) || null;
  const pid = field('p');
  return { ...unknown, program: field('c'), pid: pid === null ? null : Number(pid) };
}

async function windowsHolder(port: number): Promise<PortHolder> {
  const pid = readNetstat(await output('netstat', ['-ano', '-p', 'TCP']), port);
  if (pid === null) return unknown;
  return { ...unknown, program: readTasklist(await output('tasklist', ['/fi', `PID eq ${pid}`, '/fo', 'csv', '/nh'])), pid };
}

/** The word for "listening" is translated; that nobody is at the other end is not. */
export function readNetstat(text: string, port: number): number | null {
  const rows = text.split(/\r?\n/).map((line) => line.trim().split(/\s+/));
  const ours = [`127.0.0.1:${port}`, `0.0.0.0:${port}`];
  const row = rows.find(([, local = '', remote]) => ours.includes(local) && remote === '0.0.0.0:0');
  return row ? Number(row.at(-1)) : null;
}

export function readTasklist(text: string): string | null {
  return /^"([^"]+)\.exe"|^"([^"]+)"/i.exec(text.trim())?.slice(1).find(Boolean) ?? null;
}

function output(command: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { timeout: commandTimeoutMs, windowsHide: true, encoding: 'utf8' }, (error, text) => {
      if (error) reject(error);
      else resolve(text);
    });
  });
}
