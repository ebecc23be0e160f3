import { createHash } from 'node:crypto';
import type { PageReading, Store } from '../../ports.ts';

/** `waiting`: it stays to be read. */
const states = ['waiting', 'picture', 'failed', 'blank'] as const;

/** A document whose pages have these texts; the name of a state stands for a page in that state. Returns its id. */
export function addDocument(
  store: Pick<Store, 'documents'>,
  name: string,
  texts: readonly string[],
  labels: readonly string[] = [],
): number {
  const pageCount = texts.length;
  const hash = createHash('sha256')
    .update(name + texts.join())
    .digest('hex');
  const { id } = store.documents.add({ hash, name, kind: 'pdf', bytes: 9, pageCount, from: 1, to: pageCount });
  for (const [index, text] of texts.entries()) {
    const state = states.find((one) => one === text) ?? 'text';
    if (state === 'waiting') continue;
    const page: PageReading = {
      number: index + 1,
      label: labels[index] ?? String(index + 1),
      width: 595,
      height: 842,
      rotation: 0,
      state,
      flags: [],
      text: state === 'text' ? text : '',
      words: [],
      fields: [],
      hiddenWords: 0,
      failure: state === 'failed' ? { ok: false, code: 'document_failed', message: 'It broke.', nextStep: 'Try again.' } : null,
    };
    store.documents.savePage(id, page);
  }
  return id;
}
