/** What Meta requires of those who use its weights: summed up, agreed to before the first byte, noted beside the files. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import published from '../../../../resources/models/licences.json' with { type: 'json' };
import type { Licence as LicenceView } from '../../../contract.ts';
import { LoupeError } from '../../../errors.ts';
import type { Acceptance, LicenceStore, ModelRecord } from '../../ports.ts';
import { licenceIds, type CatalogueModel, type LicenceId } from '../catalogue.ts';
import { withFileErrors } from './fetch-file.ts';

const link = v.pipe(v.string(), v.url());
const licenceSchema = v.strictObject({
  name: v.string(),
  /** Day of the text. Another text has to be agreed to again. */
  version: v.pipe(v.string(), v.isoDate()),
  text: link,
  usePolicy: link,
  /** In our words; the text is what counts. */
  points: v.array(v.string()),
  mustNot: v.array(v.string()),
  notice: v.string(),
  /** For models that see pictures. */
  europe: v.nullable(v.string()),
});
const schema = v.record(v.picklist(licenceIds), licenceSchema);

export interface Licence extends v.InferOutput<typeof licenceSchema> {
  id: LicenceId;
}

let licences: Record<LicenceId, Licence> | undefined;

export function licenceOf(id: LicenceId): Licence {
  if (!licences) {
    const all = v.parse(schema, published);
    licences = Object.fromEntries(licenceIds.map((id) => [id, { ...v.parse(licenceSchema, all[id]), id }])) as Record<LicenceId, Licence>;
  }
  return licences[id];
}

/** Null while its present version has not been agreed to. */
export function acceptanceOf(id: LicenceId, store: LicenceStore): Acceptance | null {
  const { version } = licenceOf(id);
  return store.list().find((acceptance) => acceptance.licence === id && acceptance.version === version) ?? null;
}

/** The licence in short, and when it was agreed to. */
export function licenceView(id: LicenceId, store: LicenceStore): LicenceView {
  const { notice: _, ...licence } = licenceOf(id);
  return { ...licence, acceptedAt: acceptanceOf(id, store)?.at ?? null };
}

/** Throws `licence_needed`. */
export function requireAcceptance(id: LicenceId, store: LicenceStore): void {
  if (acceptanceOf(id, store)) return;
  const { name } = licenceOf(id);
  throw new LoupeError('licence_needed', `These weights are Meta's, and the ${name} has not been agreed to yet.`);
}

/** Throws `protocol` when the text that was shown is not the present one. */
export function accept(id: LicenceId, version: string, store: LicenceStore): Acceptance {
  if (licenceOf(id).version !== version)
    throw new LoupeError(
      'protocol',
      `The ${licenceOf(id).name} that was shown has version ${version}; the current one is ${licenceOf(id).version}.`,
    );
  return store.accept(id, version);
}

/** The licence of weights on this machine: the catalogue's, or, for what it does not name, that of the family. */
export function licenceFor(known: CatalogueModel | null, kind: ModelRecord['kind'], name: string): LicenceId {
  if (known) return known.licence;
  const version = kind === 'text' ? /3[._-]([123])(?!\d)/.exec(name)?.[1] : undefined;
  return licenceIds.find((id) => id === `llama3.${version}`) ?? 'llama3.2';
}

/** Writes the notice that must accompany the weights. An existing one stays. */
export async function writeNotice(directory: string, id: LicenceId): Promise<void> {
  const { name, notice, text, usePolicy } = licenceOf(id);
  const path = join(directory, 'NOTICE');
  await withFileErrors(path, () =>
    writeFile(path, `${notice}\n\n${name}: ${text}\nAcceptable use policy: ${usePolicy}\n`, { flag: 'wx' }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      },
    ),
  );
}
