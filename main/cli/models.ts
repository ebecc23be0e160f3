/** `loupe models`: what is on this computer, what can be downloaded, and what can be done with it. */
import { resolve } from 'node:path';
import {
  formatBytes,
  liesIn,
  modelPaths,
  type CatalogueEntry,
  type Download,
  type EventMessage,
  type Failure,
  type ModelChoice,
} from '../contract.ts';
import { fromFailure, isErrorCode, LoupeError } from '../errors.ts';
import { dataDirectory } from '../host/paths.ts';
import { joinPaths } from '../services/models/local/model-path.ts';
import { quantisedForms } from '../services/models/quantise.ts';
import { absolute, agree, catalogueEntry, flags, knownModel, type Context, type Run } from './models-context.ts';
import { bar, describeEntry, describeFound, findingInWords, licenceInWords, printed, progressLine, stateInWords } from './models-words.ts';
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

  HF_ENDPOINT chooses another hub, LOUPE_OLLAMA_REGISTRY another registry for the model that is ready to use,
  HTTPS_PROXY and NO_PROXY a proxy; HF_HUB_OFFLINE=1 keeps Loupe offline.
`;

interface Command {
  run: Run;
  argument: 'none' | 'optional' | 'needed' | 'pair';
  flags: (keyof typeof flags)[];
  /** What may stand for the argument. */
  example?: string;
  /** Works beside the running app. */
  reads?: boolean;
}

const commands: Record<string, Command> = {
  list: { run: list, argument: 'none', flags: [], reads: true },
  find: { run: find, argument: 'optional', flags: [], reads: true },
  pull: { run: pull, argument: 'needed', flags: ['from', 'to', 'accept-licence', 'anyway'], example: '11b-vision-instruct' },
  import: { run: importModel, argument: 'pair', flags: ['accept-licence'], example: '~/models/Llama-3.2-11B-Vision-Instruct' },
  quantise: { run: quantise, argument: 'needed', flags: ['form', 'to', 'accept-licence'], example: 'Llama-3.2-11B-Vision-Instruct' },
  test: { run: testModel, argument: 'needed', flags: [], example: '"Demo model"' },
  verify: { run: verify, argument: 'needed', flags: [], example: 'Llama-3.2-11B-Vision-Instruct' },
  remove: { run: remove, argument: 'needed', flags: ['files'], example: 'Llama-3.2-11B-Vision-Instruct' },
  licence: { run: licence, argument: 'needed', flags: [], reads: true, example: '11b-vision-instruct' },
};

export async function models(args: string[], terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = parseFlags(args, flags);
  const [name, ...named] = positionals;
  const known = Object.keys(commands).join(', ');
  const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command)
    throw new LoupeError(
      'usage',
      name === undefined ? 'Say what to do with models.' : `There is no command "models ${name}".`,
      `Known: ${known}.`,
    );
  const [argument, ...rest] = command.argument === 'pair' && named.length === 2 ? [joinPaths(named.map((path) => resolve(path)))] : named;
  if (rest.length > 0 || (argument !== undefined && command.argument === 'none'))
    throw new LoupeError(
      'usage',
      `"${rest[0] ?? argument}" is one argument too many for models ${name}.`,
      rest.length > 0 ? `Put a name of several words in quotation marks: "${named.join(' ')}".` : undefined,
    );
  if (argument === undefined && (command.argument === 'needed' || command.argument === 'pair'))
    throw new LoupeError(
      'usage',
      `models ${name} needs to know which one.`,
      command.example && `As in: loupe models ${name} ${command.example}`,
    );
  const stray = (Object.keys(values) as (keyof typeof flags)[]).find(
    (flag) => flag !== 'json' && flag !== 'data' && !command.flags.includes(flag),
  );
  if (stray) throw new LoupeError('usage', `models ${name} has no option --${stray}.`);

  let listener: (event: EventMessage) => void = () => {};
  const services = await terminal.openModels({
    dataDirectory: values.data ?? dataDirectory(),
    onEvent: (event) => listener(event),
    reads: command.reads === true,
  });
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
  if (view.freeBytes !== null) line(`\nThe disk of ${view.directory} has ${formatBytes(view.freeBytes)} free.`);
  return exitCodes.ok;
}

async function find({ manager, values, terminal, line }: Context, path: string | undefined): Promise<ExitCode> {
  const found = await manager.find(path === undefined ? null : absolute(path));
  if (values.json) terminal.out(`${JSON.stringify({ ok: true, found })}\n`);
  else if (found.length === 0)
    line('No model was found in the usual places (Hugging Face, Ollama, LM Studio, llama.cpp). Name a folder or a drive to look there.');
  else for (const model of found) describeFound(model, line);
  return exitCodes.ok;
}

async function pull(context: Context, named: string | undefined): Promise<ExitCode> {
  const { manager, models, values, terminal, line, onEvent } = context;
  const entry = await catalogueEntry(context, named!);
  agree(context, entry.licence);
  refuseHopeless(context, entry);
  const show = progressLine(terminal, values.json);
  let said = '';
  /** Also where nobody watches the line that is written over; what stays the same is said once. */
  const complain = ({ message, nextStep }: Failure): void => {
    if (message === said) return;
    said = message;
    show('');
    terminal.err(`loupe: ${message} Loupe keeps trying.\n${nextStep}\n`);
  };
  const ended = new Promise<Download | null>((resolve) => {
    onEvent((event) => {
      if (event.event !== 'downloads.changed') return;
      const mine = event.payload.find(({ id }) => id === started?.id);
      if (mine?.trouble) complain(mine.trouble.failure);
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
  const model = models.list().find(({ id }) => liesIn(id, started.directory));
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
