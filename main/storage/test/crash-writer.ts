/**
 * A process that uses a store until it is killed. What has returned is reported on stdout, a line
 * of JSON each: whatever was reported must be found again.
 */
import { writeSync } from 'node:fs';
import type { PictureOrigin } from '../../contract.ts';
import { randomNumbers } from '../../test/random.ts';
import { openStore } from '../store.ts';

export type Report =
  | { kind: 'open' }
  | { kind: 'conversation'; id: number; title: string }
  | { kind: 'text'; id: number; text: string }
  | { kind: 'picture'; hash: string; bytes: string }
  | { kind: 'draft'; text: string }
  | { kind: 'tag'; ids: number[]; tag: string };

const [directory, seed] = process.argv.slice(2) as [string, string];
const random = randomNumbers(Number(seed));
const store = openStore(directory);
report({ kind: 'open' });
/** Of the round before. */
let last: number | null = null;
for (let round = 0; ; round++) {
  const title = `Conversation ${seed}.${round}`;
  const { id } = store.conversations.create(title);
  report({ kind: 'conversation', id, title });
  if (last !== null) {
    const tag = { ids: [last, id], tag: `Pair ${seed}.${round}` };
    store.conversations.tag(tag.ids, [tag.tag], []);
    report({ kind: 'tag', ...tag });
  }
  last = id;

  const bytes = Buffer.from(`${title} ${'x'.repeat(random() * 20_000)}`);
  const origin: PictureOrigin = { kind: 'paste' };
  const { hash } = store.pictures.add({
    bytes,
    name: 'a.png',
    width: 1,
    height: 1,
    origin,
    thumbnail: Buffer.from('thumbnail'),
    display: null,
  });
  report({ kind: 'picture', hash, bytes: bytes.toString() });

  const question = store.conversations.append({
    conversationId: id,
    parentId: null,
    role: 'user',
    text: `Question ${round}`,
    pictures: [hash],
    state: 'complete',
    model: null,
  });
  report({ kind: 'text', id: question.id, text: question.text });
  const answer = store.conversations.append({
    conversationId: id,
    parentId: question.id,
    role: 'assistant',
    text: '',
    pictures: [],
    state: 'streaming',
    model: 'demo',
  });
  let text = '';
  for (let piece = 0; piece < 10; piece++) {
    text += `${'word '.repeat(random() * 100)}${piece} `;
    store.conversations.checkpoint(answer.id, text);
    report({ kind: 'text', id: answer.id, text });
  }
  store.conversations.update(answer.id, { text, state: 'complete', failure: null, finish: 'stop', model: 'demo', statistics: null });
  store.conversations.saveDraft(null, title, [hash]);
  report({ kind: 'draft', text: title });
  store.conversations.rename(id, title);
  if (round % 5 === 4) {
    store.conversations.delete(id);
    store.sweep();
    store.conversations.restore(id);
  }
}

function report(line: Report): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}
