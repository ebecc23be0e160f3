/** What tests of encryption share: a folder that has something in every place, and a search through all its bytes. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Store } from '../../services/ports.ts';
import type { Stretching } from '../vault/secrets.ts';

/** Tests try many passphrases. */
export const cheap: Stretching = { cost: 2, blocks: 1 };
export const code = '0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV';
export const passphrase = 'correct horse battery';

export const planted = ['Plantedtitle', 'Plantedquestion', 'Plantedpicture', 'Planteddocument', 'Plantedpage', 'Planteddraft'] as const;

/** Paths below the folder of every file that holds one of the words, in plain form. */
export function filesWith(folder: string, words: readonly string[] = planted): string[] {
  const forms = words.flatMap((word) => [Buffer.from(word), Buffer.from(word.toLowerCase()), Buffer.from(word, 'utf16le')]);
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => {
    const path = join(folder, name);
    if (!statSync(path).isFile()) return false;
    const bytes = readFileSync(path);
    return forms.some((form) => bytes.includes(form));
  });
}

export interface Filled {
  conversation: number;
  picture: string;
  document: string;
}

/** Something in every place that holds content. `more`: other bytes than the first time. */
export async function fill(store: Store, more = ''): Promise<Filled> {
  const { hash: picture } = store.pictures.add({
    bytes: Buffer.from(`${'Plantedpicture original '.repeat(8000)}`),
    name: 'Plantedpicture.png',
    width: 4,
    height: 3,
    origin: { kind: 'paste' },
    thumbnail: Buffer.from('Plantedpicture thumbnail'),
    display: Buffer.from('Plantedpicture display'),
  });
  const { id: conversation } = store.conversations.create('Plantedtitle');
  const said = { conversationId: conversation, state: 'complete', model: null } as const;
  for (let turn = 0; turn < 20; turn++)
    store.conversations.append({ ...said, parentId: null, role: 'user', text: `Plantedquestion ${turn}`, pictures: turn ? [] : [picture] });
  store.conversations.saveDraft(conversation, 'Planteddraft', [picture]);
  const incoming = await store.documentFiles.receive();
  await incoming.append(Buffer.from('Planteddocument '.repeat(20_000) + more));
  const brought = await incoming.finish();
  const { id } = store.documents.add({
    kind: 'pdf',
    name: 'Planteddocument.pdf',
    bytes: brought.bytes,
    pageCount: 1,
    hash: brought.hash,
    from: 1,
    to: 1,
  });
  brought.keep();
  store.documents.savePage(id, {
    number: 1,
    label: '1',
    width: 100,
    height: 100,
    rotation: 0,
    state: 'text',
    flags: [],
    text: 'Plantedpage words',
    words: [],
    fields: [],
    hiddenWords: 0,
    failure: null,
  });
  return { conversation, picture, document: brought.hash };
}
