import { resolve } from 'node:path';
import {
  formatBytes,
  modelPaths,
  type CatalogueEntry,
  type CatalogueView,
  type Download,
  type EventMessage,
  type Fitting,
  type FoundModel,
  type Licence,
  type LicenceId,
  type ModelChoice,
  type Verification,
} from '../contract.ts';
import type { ModelServices } from '../model-services.ts';
import { dataDirectory } from '../host/paths.ts';
import { fromFailure, isErrorCode, LoupeError } from '../errors.ts';
import { joinPaths, pathsNamed } from '../services/models/local/model-path.ts';
import { quantisedForms } from '../services/models/quantise.ts';
import { oneOf, parseFlags } from './options.ts';
import { exitCodes, lineWriter, type ExitCode, type Terminal } from './terminal.ts';
import { inTime } from './units.ts';

export const modelsHelp = `loupe models COMMAND [options]

  list                      models on this machine, and those that can be downloaded, with how they would run
  find [PATH]               looks for models: in the caches of Hugging Face, Ollama, LM Studio and llama.cpp, or at PATH
  pull MODEL                downloads a model of the list; run it again to resume an interrupted download
       --from REPOSITORY      use this copy (default: the makers' with HF_TOKEN set, else an open one)
       --to DIR               put it there (default: the folder that the settings name, else LOUPE_MODELS, else "models" in the data folder)
  import PATH [PROJECTOR]   uses a model in place: a folder, a .gguf file, an Ollama manifest; two files of an older vision model
  quantise MODEL            writes a published model in fewer bits as one GGUF file; run it again to resume
       --form q4_k_m|q8_0     4 bits (default) or 8
       --to FILE.gguf         its name begins with "Llama", as the licence requires (default: where downloads go)
  test MODEL                loads it and checks whether it answers as it should
  verify MODEL              reads all its files and compares their checksums
  remove MODEL              removes it from the list; --files also deletes what was downloaded
  licence MODEL             a summary of the licence of its weights

  --accept-licence          with pull, import and quantise: agree to the licence
  --anyway                  with pull: downloads even a model that would not run here
  --data DIR                the data folder (default: LOUPE_DATA or the usual folder)
  --json                    one JSON object

  HF_ENDPOINT chooses another hub, HTTPS_PROXY and NO_PROXY a proxy; HF_HUB_OFFLINE=1 keeps Loupe offline.
`;

const flags = {
  json: { type: 'boolean' },
  data: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  form: { type: 'string' },
  files: { type: 'boolean' },
  'accept-licence': { type: 'boolean' },
  anyway: { type: 'boolean' },
} as const;

type Values = ReturnType<typeof parseFlags<typeof flags>>['values'];

interface Context extends ModelServices {
  terminal: Terminal;
  values: Values;
  line: (text: string) => void;
  /** Until it is called again or the command ends. */
  onEvent: (listener: (event: EventMessage) => void) => void;
}

type Run = (context: Context, argument: string | undefined) => Promise<ExitCode>;

const commands: Record<string, { run: Run; argument: 'none' | 'optional' | 'needed' | 'pair'; flags: (keyof typeof flags)[] }> = {
  list: { run: list, argument: 'none', flags: [] },
  find: { run: find, argument: 'optional', flags: [] },
  pull: { run: pull, argument: 'needed', flags: ['from', 'to', 'accept-licence', 'anyway'] },
  import: { run: importModel, argument: 'pair', flags: ['accept-licence'] },
  quantise: { run: quantise, argument: 'needed', flags: ['form', 'to', 'accept-licence'] },
  test: { run: testModel, argument: 'needed', flags: [] },
  verify: { run: verify, argument: 'needed', flags: [] },
  remove: { run: remove, argument: 'needed', flags: ['files'] },
  licence: { run: licence, argument: 'needed', flags: [] },
};

export async function models(args: string[], terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = parseFlags(args, flags);
  const [name, ...named] = positionals;
  const known = Object.keys(commands).join(', ');
  const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command)
    throw new LoupeError(
      'usage',
      name === undefined ? `Say what to do with models. ${known}.` : `There is no command "models ${name}".`,
      `Known: ${known}.`,
    );
  const [argument, ...rest] = command.argument === 'pair' && named.length === 2 ? [joinPaths(named.map((path) => resolve(path)))] : named;
  if (rest.length > 0 || (argument !== undefined && command.argument === 'none'))
    throw new LoupeError('usage', `"${rest[0] ?? argument}" is one argument too many for models ${name}.`);
  if (argument === undefined && (command.argument === 'needed' || command.argument === 'pair'))
    throw new LoupeError('usage', `models ${name} needs to know which one.`);
  const stray = (Object.keys(values) as (keyof typeof flags)[]).find(
    (flag) => flag !== 'json' && flag !== 'data' && !command.flags.includes(flag),
  );
  if (stray) throw new LoupeError('usage', `models ${name} has no option --${stray}.`);

  let listener: (event: EventMessage) => void = () => {};
  const services = await terminal.openModels({ dataDirectory: values.data ?? dataDirectory(), onEvent: (event) => listener(event) });
  try {
    return await command.run({ ...services, terminal, values, line: lineWriter(terminal), onEvent: (next) => (listener = next) }, argument);
  } finally {
    await services.close();
  }
}

async function list({ manager, models, values, terminal, line }: Context): Promise<ExitCode> {
  const view = await manager.catalogue();
  const here = models.list();
  const downloads = manager.downloads();
  const tests = manager.tested();
  if (values.json) {
    terminal.out(`${JSON.stringify({ ok: true, models: here, tests, downloads, catalogue: printed(view) })}\n`);
    return exitCodes.ok;
  }
  line('On this machine');
  for (const model of here) {
    line(`  ${model.name}${model.bytes === null ? '' : `, ${formatBytes(model.bytes)}`}${model.present ? '' : ' (its files are gone)'}`);
    if (model.id !== 'demo') for (const path of modelPaths(model.id)) line(`      ${path}`);
    const test = tests.find((record) => record.model === model.id);
    if (test)
      line(
        `      ${test.sound ? 'works' : 'it gives wrong answers'}: ` +
          `checked on ${test.device}, ${new Date(test.testedAt).toISOString().slice(0, 10)}`,
      );
  }
  for (const download of downloads) line(`  ${download.name}: ${stateInWords(download)}`);
  line('');
  line('To download');
  for (const entry of view.entries) if (entry.model === null) describeEntry(entry, line);
  if (view.devicesFailure) line(`\nHow they would run here is not known: ${view.devicesFailure.message}`);
  if (view.freeBytes !== null) line(`\nThe disk of ${view.directory} has ${formatBytes(view.freeBytes)} to give.`);
  return exitCodes.ok;
}

/** Programs know `outcome` by an older name as well. */
function printed({ entries, ...view }: CatalogueView): unknown {
  const withVerdict = (fitting: Fitting): unknown => ({ ...fitting, verdict: fitting.outcome });
  const all = entries.map((entry) => ({ ...entry, fits: entry.fits.map((fit) => ({ ...fit, all: fit.all.map(withVerdict) })) }));
  return { entries: all, ...view };
}

const forms: Record<Fitting['quantisation'], string> = { bf16: 'as published', q8_0: 'in 8 bits', q4_k_m: 'in 4 bits' };
const outcomes: Record<Fitting['outcome'], string> = { fits: 'fits', slow: 'slow', no: 'no' };

function describeEntry({ id, bytes, purpose, fits }: CatalogueEntry, line: (text: string) => void): void {
  line(`  ${id}, ${formatBytes(bytes)}`);
  line(`      ${purpose}`);
  const [first] = fits;
  if (!first) return;
  const best = first.all.find(({ quantisation }) => quantisation === first.recommended) ?? first.all.at(-1)!;
  line(`      ${outcomes[best.outcome]}, ${forms[best.quantisation]}: ${best.reason}`);
}

async function find({ manager, values, terminal, line }: Context, path: string | undefined): Promise<ExitCode> {
  const found = await manager.find(path === undefined ? null : absolute(path));
  if (values.json) terminal.out(`${JSON.stringify({ ok: true, found })}\n`);
  else if (found.length === 0)
    line('No model was found in the usual places (Hugging Face, Ollama, LM Studio, llama.cpp). Name a folder or a drive to look there.');
  else for (const model of found) describeFound(model, line);
  return exitCodes.ok;
}

const sources: Record<FoundModel['source'], string> = {
  huggingface: 'Hugging Face cache',
  ollama: 'Ollama',
  lmstudio: 'LM Studio',
  llamacpp: 'llama.cpp',
  folder: 'folder',
};

function describeFound({ name, source, precision, bytes, path, problem, added }: FoundModel, line: (text: string) => void): void {
  const about = [sources[source], precision, bytes > 0 ? formatBytes(bytes) : ''].filter(Boolean).join(', ');
  line(`${name} (${about})${added ? ', in the list' : ''}`);
  for (const file of modelPaths(path)) line(`    ${file}`);
  if (problem) line(`    ${problem.state}: ${problem.message}`);
}

async function pull(context: Context, named: string | undefined): Promise<ExitCode> {
  const { manager, models, values, terminal, line, onEvent } = context;
  const entry = await catalogueEntry(context, named!);
  agree(context, entry.licence);
  refuseHopeless(context, entry);
  const show = progressLine(terminal, values.json);
  const ended = new Promise<Download | null>((resolve) => {
    onEvent((event) => {
      if (event.event !== 'downloads.changed') return;
      const mine = event.payload.find(({ id }) => id === started?.id);
      if (mine) show(`${mine.name}: ${stateInWords(mine)}`);
      if (started && (!mine || mine.state === 'failed' || mine.state === 'paused')) {
        show('');
        resolve(mine ?? null);
      }
    });
  });
  let started: Download | null = null;
  started = await manager.download(entry.id, values.from ?? null, values.to === undefined ? null : resolve(values.to));
  show(`${started.name}: ${stateInWords(started)}`);
  const stop = (): void => manager.pause(started.id);
  terminal.interrupted.addEventListener('abort', stop);
  if (terminal.interrupted.aborted) stop();
  const last = await ended;
  if (last?.failure) throw fromFailure({ ...last.failure, code: isErrorCode(last.failure.code) ? last.failure.code : 'internal' });
  if (last) {
    terminal.err('loupe: the download was stopped; the same command resumes it.\n');
    return exitCodes.interrupted;
  }
  const model = models.list().find(({ id }) => id === started.directory);
  if (values.json) terminal.out(`${JSON.stringify({ ok: true, model, repository: started.repository })}\n`);
  else line(`${entry.name} is here: ${started.directory}`);
  return model ? tryNew(context, model) : exitCodes.ok;
}

async function importModel(context: Context, path: string | undefined): Promise<ExitCode> {
  const { manager, values, terminal, line } = context;
  const at = absolute(path!);
  const [only, ...others] = (await manager.find(at)).filter(({ problem }) => !problem);
  if (only && others.length === 0) agree(context, only.licence);
  const model = await manager.add(at);
  if (values.json) terminal.out(`${JSON.stringify({ ok: true, model })}\n`);
  else line(`${model.name} is in the list; its files stay where they are.`);
  return tryNew(context, model);
}

async function quantise(context: Context, named: string | undefined): Promise<ExitCode> {
  const { manager, models, values, terminal, line } = context;
  const form = oneOf('--form', values.form ?? quantisedForms[0], quantisedForms);
  const listed = models.list().find(({ id, name }) => absolute(id) === absolute(named!) || name.toLowerCase() === named!.toLowerCase());
  const path = listed?.id ?? absolute(named!);
  const [found] = await manager.find(path);
  if (found && !found.problem) agree(context, found.licence);
  const show = progressLine(terminal, values.json);
  const began = performance.now();
  const { model, report } = await manager
    .quantise(path, form, values.to === undefined ? null : resolve(values.to), {
      signal: terminal.interrupted,
      onProgress: (done, total) => {
        const seconds = (performance.now() - began) / 1000;
        const left = done > 0 && seconds > 2 ? `, ${inTime((seconds * (total - done)) / done)} left` : '';
        show(`${bar(done / total)} ${formatBytes(done)} of ${formatBytes(total)}${left}`);
      },
    })
    .finally(() => show(''));
  if (values.json) {
    terminal.out(`${JSON.stringify({ ok: true, model, report })}\n`);
    return exitCodes.ok;
  }
  line(`${model.id}, ${formatBytes(report.bytes)}`);
  for (const { name, types, relativeError } of report.classes) line(`  ${name}: ${types}, error ${(100 * relativeError).toFixed(2)} %`);
  return tryNew(context, model);
}

/** A model that was added just now is tried where that is quick; elsewhere Loupe says how it would run. */
async function tryNew(context: Context, { id, name }: ModelChoice): Promise<ExitCode> {
  const { manager, values, terminal } = context;
  if (values.json) return exitCodes.ok;
  const fit = await manager.fit(id);
  if (fit?.outcome === 'fits') return testModel(context, id);
  const copy = fit?.copy ? `\`loupe models quantise "${name}" --form ${fit.copy}\` makes such a copy.` : null;
  if (fit) terminal.err(`${[fit.outcome === 'no' ? 'It does not fit.' : null, fit.reason, fit.advice, copy].filter(Boolean).join(' ')}\n`);
  terminal.err(`It has not been tested; \`loupe models test "${name}"\` does that.\n`);
  return exitCodes.ok;
}

async function testModel(context: Context, named: string | undefined): Promise<ExitCode> {
  const { manager, values, terminal, line } = context;
  const model = knownModel(context, named!);
  const show = progressLine(terminal, values.json);
  const found = await manager
    .test(model.id, {
      signal: terminal.interrupted,
      onProgress: (done, total) =>
        show(done < total ? `loading ${model.name}: ${Math.floor((100 * done) / total)} %` : `${model.name} is being tried`),
    })
    .finally(() => show(''));
  const { sound, findings, device } = found;
  if (values.json) terminal.out(`${JSON.stringify({ ok: sound, test: found })}\n`);
  else
    line(
      sound
        ? `${model.name} works on ${device}.`
        : `${model.name} gives wrong answers on ${device}. ${findings.join(' ')} \`loupe models verify\` checks its files, ` +
            '`loupe doctor` the driver.',
    );
  return sound ? exitCodes.ok : exitCodes.failure;
}

/** Before a download of hours: whether the model runs here in any form. */
function refuseHopeless({ values }: Context, { name, fits }: CatalogueEntry): void {
  const [first] = fits;
  if (values.anyway || !first?.all.every(({ outcome }) => outcome === 'no')) return;
  throw new LoupeError(
    'usage',
    `${name} would not run here in any form. ${first.all.at(-1)!.reason}`,
    'Choose a smaller model (`loupe models list`), or download it anyway with --anyway.',
  );
}

async function verify(context: Context, named: string | undefined): Promise<ExitCode> {
  const { manager, values, terminal, line, onEvent } = context;
  const model = knownModel(context, named!);
  const show = progressLine(terminal, values.json);
  onEvent((event) => {
    if (event.event !== 'verifications.changed') return;
    const [mine] = event.payload.filter((verification) => verification.model === model.id);
    if (mine?.state === 'running') show(`${model.name}: ${formatBytes(mine.doneBytes)} of ${formatBytes(mine.totalBytes)} read`);
  });
  const found = await manager.verify(model.id).finally(() => show(''));
  if (values.json) terminal.out(`${JSON.stringify({ ok: found.changed.length === 0, verification: found })}\n`);
  else line(findingInWords(model, found));
  return found.changed.length === 0 ? exitCodes.ok : exitCodes.failure;
}

function findingInWords({ name }: ModelChoice, { intact, changed, unknown }: Verification): string {
  if (changed.length > 0)
    return (
      `${name}: ${changed.length === 1 ? 'one file is' : `${changed.length} files are`} not what it should be. ` +
      `Download the model again.\n${changed.map((file) => `  ${file}`).join('\n')}`
    );
  const known = intact > 0 ? `${intact} ${intact === 1 ? 'file has' : 'files have'} the checksum of the source` : '';
  const noted = unknown > 0 ? `of ${unknown} no source states one; what they are now was noted` : '';
  return `${name}: ${[known, noted].filter(Boolean).join('; ')}.`;
}

async function remove(context: Context, named: string | undefined): Promise<ExitCode> {
  const { manager, values, terminal, line } = context;
  const model = knownModel(context, named!);
  await manager.remove(model.id, values.files === true);
  if (values.json) terminal.out(`${JSON.stringify({ ok: true, model })}\n`);
  else line(values.files ? `${model.name} and its files are gone.` : `${model.name} is off the list; its files stay where they are.`);
  return exitCodes.ok;
}

async function licence(context: Context, named: string | undefined): Promise<ExitCode> {
  const { manager, values, terminal } = context;
  const shown = manager.licence((await catalogueEntry(context, named!)).licence);
  terminal.out(values.json ? `${JSON.stringify({ ok: true, licence: shown })}\n` : licenceInWords(shown));
  return exitCodes.ok;
}

/** Shows the licence unless it was agreed to; `--accept-licence` agrees. */
function agree({ manager, values, terminal }: Context, id: LicenceId): void {
  const shown = manager.licence(id);
  if (shown.acceptedAt !== null) return;
  if (values['accept-licence']) {
    manager.acceptLicence(id, shown.version);
    return;
  }
  terminal.err(licenceInWords(shown));
  throw new LoupeError(
    'licence_needed',
    `The ${shown.name} has not been agreed to yet.`,
    'Run the same command with --accept-licence to agree to it.',
  );
}

function licenceInWords({ name, version, points, mustNot, europe, text, usePolicy, acceptedAt }: Licence): string {
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

/** By id, repository, or a part of either that only one has. */
async function catalogueEntry({ manager }: Context, named: string): Promise<CatalogueEntry> {
  const { entries } = await manager.catalogue();
  const wanted = named.toLowerCase();
  const exact = entries.find(
    ({ id, repository, mirrors }) => id === wanted || [repository, ...mirrors].some((name) => name.toLowerCase() === wanted),
  );
  const like = entries.filter(({ id }) => id.includes(wanted));
  if (exact) return exact;
  if (like.length === 1) return like[0]!;
  const known = (like.length > 0 ? like : entries).map(({ id }) => id).join(', ');
  throw new LoupeError(
    'usage',
    like.length > 1 ? `"${named}" may be one of several models.` : `There is no model "${named}" to download.`,
    `Known: ${known}.`,
  );
}

/** By its name, its path, or that of one of its files. */
function knownModel({ models }: Context, named: string): ModelChoice {
  const all = models.list();
  const path = absolute(named);
  const found =
    all.find(({ id }) => id === named || absolute(id) === path) ??
    all.find(({ name }) => name.toLowerCase() === named.toLowerCase()) ??
    all.find(({ id }) => modelPaths(id).includes(path));
  if (!found)
    throw new LoupeError('usage', `There is no model "${named}" in the list.`, `Known: ${all.map(({ name }) => name).join(', ')}.`);
  return found;
}

function absolute(path: string): string {
  return joinPaths(pathsNamed(path).map((part) => resolve(part)));
}

function stateInWords({ state, doneBytes, totalBytes, bytesPerSecond, failure }: Download): string {
  const share =
    totalBytes > 0 ? `${Math.floor((doneBytes / totalBytes) * 100)} %, ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}` : '';
  if (state === 'queued') return 'waits for its turn';
  if (state === 'failed') return `failed${share && ` at ${share}`}: ${failure?.message ?? ''}`;
  if (state === 'paused') return `paused at ${share || 'its beginning'}`;
  if (!share) return 'asking for the list of files';
  const left = bytesPerSecond ? `, ${formatBytes(bytesPerSecond)}/s, ${inTime((totalBytes - doneBytes) / bytesPerSecond)} left` : '';
  return `${bar(doneBytes / totalBytes)} ${share}${left}`;
}

function bar(share: number): string {
  const width = 20;
  const full = Math.round(Math.min(1, share) * width);
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}]`;
}

/** One line that is written over; only a person who watches sees it. "" removes it. */
function progressLine(terminal: Terminal, json: boolean | undefined): (text: string) => void {
  if (json || !terminal.errIsTerminal) return () => {};
  return (text) => terminal.err(`\r\x1b[K${text}`);
}
