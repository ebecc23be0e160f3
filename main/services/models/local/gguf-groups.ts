/**
 * Which GGUF files of a folder make one model each: a file alone, the parts of a large one
 * (NAME-00001-of-00003.gguf), a text file and the projector beside it that fits. Projectors are
 * not models: the llama.cpp fork and LM Studio keep one for all quantisations of the text.
 */
import { basename, join } from 'node:path';
import { LoupeError } from '../../../errors.ts';
import { readGgufSummary, type GgufSummary } from './gguf-summary.ts';

export interface GgufGroup {
  /** Absolute; the text file goes first, and names the group. */
  files: string[];
  /** What has to be decided first, where more than one projector fits. */
  doubt: LoupeError | null;
}

type Role = 'whole' | 'text' | 'projector';

interface Member {
  files: string[];
  role: Role;
  /** Of the text model that it is, or that it is for; null where it does not say. */
  width: number | null;
}

/** Without projectors, whether they found their texts or not. Files that cannot be read are groups of their own. */
export async function ggufGroups(folder: string, names: readonly string[]): Promise<GgufGroup[]> {
  const byName = partsTogether(names).map((group) => group.map((name) => join(folder, name)));
  // Alone there is nothing to pair it with, and nothing to read.
  if (byName.length === 1 && !looksLikeProjector(byName[0]![0]!)) return [{ files: byName[0]!, doubt: null }];
  const members = await Promise.all(byName.map(memberOf));
  const projectors = members.filter(({ role }) => role === 'projector');
  return members.filter(({ role }) => role !== 'projector').map((member) => withProjector(member, projectors));
}

/** What belongs with one file of a folder; the file alone where nothing does, as of a projector that several texts share. */
export async function groupOf(folder: string, name: string, names: readonly string[]): Promise<GgufGroup> {
  const path = join(folder, name);
  const holding = (await ggufGroups(folder, names)).filter(({ files }) => files.includes(path));
  return holding.length === 1 ? holding[0]! : { files: [path], doubt: null };
}

/** All parts of what one of several names. */
export function partsOf(name: string, names: readonly string[]): string[] {
  return partsTogether(names).find((group) => group.includes(name)) ?? [name];
}

/** Names of the parts of one file, of the pieces of one that was cut (NAME.gguf.part1of2), or of one alone. */
function partsTogether(names: readonly string[]): string[][] {
  const groups = new Map<string, string[]>();
  for (const name of names.filter((name) => /\.gguf(\.part\d+of\d+)?$/.test(name)).sort()) {
    const key = name.replace(/-\d{5}-of-(\d{5})\.gguf$/, '-of-$1').replace(/\.part\d+of(\d+)$/, '.partof$1');
    groups.set(key, [...(groups.get(key) ?? []), name]);
  }
  return [...groups.values()];
}

function looksLikeProjector(file: string): boolean {
  return /mmproj|projector/i.test(basename(file));
}

async function memberOf(files: string[]): Promise<Member> {
  const summary = await readGgufSummary(files[0]!).catch(() => null);
  return { files, ...(summary ? roleOf(summary) : { role: 'whole', width: null }) };
}

/** By its metadata, and without any by its contents. */
function roleOf({ metadata, shapes }: GgufSummary): { role: Role; width: number | null } {
  const type = metadata.get('general.type');
  const architecture = metadata.get('general.architecture');
  const hasText = metadata.has(`${String(architecture)}.block_count`);
  const hasVision = metadata.has('mllama.vision.block_count');
  if (type === 'projector' || type === 'mmproj' || architecture === 'clip' || (hasVision && !hasText))
    return { role: 'projector', width: shapes.get('mm.0.weight')?.[0] ?? null };
  const width = metadata.get(`${String(architecture)}.embedding_length`);
  return { role: architecture === 'mllama' && !hasVision ? 'text' : 'whole', width: typeof width === 'number' ? width : null };
}

function withProjector({ files, role, width }: Member, projectors: Member[]): GgufGroup {
  const fitting =
    role === 'text' ? projectors.filter((projector) => projector.width === null || width === null || projector.width === width) : [];
  const [only] = fitting;
  if (fitting.length < 2) return { files: [...files, ...(only?.files ?? [])], doubt: null };
  const listed = fitting.map((projector) => basename(projector.files[0]!)).join(' and ');
  return {
    files,
    doubt: new LoupeError(
      'model_missing',
      `${basename(files[0]!)} is the text part of a vision model, and ${fitting.length} picture parts beside it fit: ${listed}.`,
      'Move all but one of them to another folder, or name the text file and the one that you want.',
    ),
  };
}
