/** What the actions of `loupe models` say. */
import {
  formatBytes,
  modelPaths,
  type CatalogueEntry,
  type CatalogueView,
  type Download,
  type Fitting,
  type FoundModel,
  type Licence,
  type ModelChoice,
  type Verification,
} from '../contract.ts';
import type { Terminal } from './terminal.ts';
import { inTime } from './units.ts';

/** Programs know `outcome` by an older name as well. */
export function printed({ entries, ...view }: CatalogueView): unknown {
  const withVerdict = (fitting: Fitting): unknown => ({ ...fitting, verdict: fitting.outcome });
  const all = entries.map((entry) => ({ ...entry, fits: entry.fits.map((fit) => ({ ...fit, all: fit.all.map(withVerdict) })) }));
  return { entries: all, ...view };
}

const forms: Record<Fitting['quantisation'], string> = { bf16: 'as published', q8_0: 'in 8 bits', q4_k_m: 'in 4 bits' };
const outcomes: Record<Fitting['outcome'], string> = { fits: 'fits', slow: 'slow', no: 'no' };

export function describeEntry({ id, bytes, missingBytes, purpose, fits }: CatalogueEntry, line: (text: string) => void): void {
  line(`  ${id}, ${formatBytes(bytes)}${missingBytes > 0 ? `: the disk has ${formatBytes(missingBytes)} too little` : ''}`);
  line(`      ${purpose}`);
  const [first] = fits;
  if (!first) return;
  const best = first.all.find(({ quantisation }) => quantisation === first.recommended) ?? first.all.at(-1)!;
  line(`      ${outcomes[best.outcome]}, ${forms[best.quantisation]}: ${best.reason}`);
}

const sources: Record<FoundModel['source'], string> = {
  huggingface: 'Hugging Face cache',
  ollama: 'Ollama',
  lmstudio: 'LM Studio',
  llamacpp: 'llama.cpp',
  folder: 'folder',
};

export function describeFound({ name, source, precision, bytes, path, problem, added }: FoundModel, line: (text: string) => void): void {
  const about = [sources[source], precision, bytes > 0 ? formatBytes(bytes) : ''].filter(Boolean).join(', ');
  line(`${name} (${about})${added ? ', in the list' : ''}`);
  for (const file of modelPaths(path)) line(`    ${file}`);
  if (problem) line(`    ${problem.state}: ${problem.message}`);
}

export function findingInWords({ name }: ModelChoice, { intact, changed, unknown }: Verification): string {
  if (changed.length > 0)
    return (
      `${name}: ${changed.length === 1 ? 'one file is' : `${changed.length} files are`} not what it should be. ` +
      `Download the model again.\n${changed.map((file) => `  ${file}`).join('\n')}`
    );
  const known = intact > 0 ? `${intact} ${intact === 1 ? 'file has' : 'files have'} the checksum of the source` : '';
  const noted = unknown > 0 ? `of ${unknown} no source states one; what they are now was noted` : '';
  return `${name}: ${[known, noted].filter(Boolean).join('; ')}.`;
}

export function licenceInWords({ name, version, points, mustNot, europe, text, usePolicy, acceptedAt }: Licence): string {
  return [
    `${name} (${version}), in short:`,
    ...points.map((point) => `  - ${point}`),
    'You agree not to use it to:',
    ...mustNot.map((point) => `  - ${point}`),
    ...(europe ? [europe] : []),
    `The licence: ${text}`,
    `The acceptable use policy: ${usePolicy}`,
    ...(acceptedAt === null ? [] : [`Agreed to on ${new Date(acceptedAt).toISOString().slice(0, 10)}.`]),
    '',
  ].join('\n');
}

export function stateInWords({ state, doneBytes, totalBytes, bytesPerSecond, trouble, failure }: Download): string {
  const share =
    totalBytes > 0 ? `${Math.floor((doneBytes / totalBytes) * 100)} %, ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}` : '';
  if (state === 'queued') return 'waits for its turn';
  if (state === 'failed') return `failed${share && ` at ${share}`}: ${failure?.message ?? ''}`;
  if (state === 'paused') return `paused at ${share || 'its beginning'}`;
  if (trouble) return `${triesInWords(trouble)}${share && ` at ${share}`}; Loupe keeps trying`;
  if (!share) return 'asking for the list of files';
  const left = bytesPerSecond ? `, ${formatBytes(bytesPerSecond)}/s, ${inTime((totalBytes - doneBytes) / bytesPerSecond)} left` : '';
  return `${bar(doneBytes / totalBytes)} ${share}${left}`;
}

function triesInWords({ tries, mostTries }: NonNullable<Download['trouble']>): string {
  return `try ${tries} of ${mostTries} failed`;
}

export function bar(share: number): string {
  const width = 20;
  const full = Math.round(Math.min(1, share) * width);
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}]`;
}

/** One line that is written over; only a person who watches sees it. "" removes it. */
export function progressLine(terminal: Terminal, json: boolean | undefined): (text: string) => void {
  if (json || !terminal.errIsTerminal) return () => {};
  return (text) => terminal.err(`\r\x1b[K${text}`);
}
