/** What the actions of `loupe models` share: their flags, and the models that a person names. */
import { resolve } from 'node:path';
import { modelPaths, type CatalogueEntry, type EventMessage, type LicenceId, type ModelChoice } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import type { ModelServices } from '../model-services.ts';
import { joinPaths, pathsNamed } from '../services/models/local/model-path.ts';
import { licenceInWords } from './models-words.ts';
import type { parseFlags } from './options.ts';
import type { ExitCode, Terminal } from './terminal.ts';

export const flags = {
  json: { type: 'boolean' },
  data: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  form: { type: 'string' },
  files: { type: 'boolean' },
  'accept-licence': { type: 'boolean' },
  anyway: { type: 'boolean' },
} as const;

export type Values = ReturnType<typeof parseFlags<typeof flags>>['values'];

export interface Context extends ModelServices {
  terminal: Terminal;
  values: Values;
  line: (text: string) => void;
  /** Until it is called again or the command ends. */
  onEvent: (listener: (event: EventMessage) => void) => void;
}

export type Run = (context: Context, argument: string | undefined) => Promise<ExitCode>;

/** Shows the licence unless it was agreed to; `--accept-licence` agrees. */
export function agree({ manager, values, terminal }: Context, id: LicenceId): void {
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

/** By id, the name that the window shows, repository, or a part of the id that only one has, or has at its end. Points, dashes and spaces are alike. */
export async function catalogueEntry({ manager }: Context, named: string): Promise<CatalogueEntry> {
  const { entries } = await manager.catalogue();
  const wanted = alike(named);
  const exact = entries.find(({ id, name, repository, mirrors }) =>
    [id, name, repository, ...mirrors].some((known) => alike(known) === wanted),
  );
  const like = entries.filter(({ id }) => alike(id).includes(wanted));
  if (exact) return exact;
  // "11b-vision-instruct" is the end of one and a part of its 4-bit form.
  const ending = like.filter(({ id }) => alike(id).endsWith(`-${wanted}`));
  const meant = ending.length === 1 ? ending : like;
  if (meant.length === 1) return meant[0]!;
  const known = (like.length > 0 ? like : entries).map(({ id }) => id).join(', ');
  throw new LoupeError(
    'usage',
    like.length > 1 ? `"${named}" may be one of several models.` : `There is no model "${named}" to download.`,
    `Known: ${known}.`,
  );
}

function alike(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9/]+/g, '-')
    .replace(/^-|-$/g, '');
}

/** By its name, its path, or that of one of its files. */
export function knownModel({ models }: Context, named: string): ModelChoice {
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

export function absolute(path: string): string {
  return joinPaths(pathsNamed(path).map((part) => resolve(part)));
}
