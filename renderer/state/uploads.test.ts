import { expect, test, vi } from 'vitest';
import type { Input, LibraryDocument, Output } from '../../main/contract.ts';
import { RequestFailure } from '../api/transport.ts';
import { createFakeClient, type FakeClient } from './fake-client.ts';
import { Uploads } from './uploads.svelte.ts';

type Finish = (input: Input<'documents.finish'>) => Output<'documents.finish'> | Promise<Output<'documents.finish'>>;

const added = (name: string): Output<'documents.finish'> => ({ document: { id: 1, name } as LibraryDocument, known: false });
const failure = (code: string): RequestFailure => new RequestFailure({ code, message: `It failed: ${code}.`, nextStep: 'Wait.' });

function rig(finish: Finish = ({ upload }) => added(upload)): { client: FakeClient; uploads: Uploads; names: string[] } {
  const client = createFakeClient({
    'documents.begin': ({ name }) => ({ upload: name }),
    'documents.piece': () => null,
    'documents.drop': () => null,
    'documents.finish': finish,
  });
  const names: string[] = [];
  return { client, names, uploads: new Uploads(client, ({ document }) => names.push(document.name)) };
}

const file = (name: string, bytes = 3): File => new File([new Uint8Array(bytes)], name);
const done = (uploads: Uploads): Promise<void> => vi.waitFor(() => expect(uploads.all).toEqual([]));

test('a file is sent in pieces, one file after the other', async () => {
  const { client, uploads, names } = rig();
  uploads.add([file('long.pdf', 9 * 1024 * 1024), file('short.pdf')]);
  await done(uploads);
  expect(client.inputs('documents.piece').map(({ upload, bytes }) => [upload, bytes.length])).toEqual([
    ['long.pdf', 4 * 1024 * 1024],
    ['long.pdf', 4 * 1024 * 1024],
    ['long.pdf', 1024 * 1024],
    ['short.pdf', 3],
  ]);
  expect(names).toEqual(['long.pdf', 'short.pdf']);
});

test('one that needs a password waits for it, and holds up no other', async () => {
  const { uploads, names } = rig(({ upload, password }) => {
    if (upload === 'locked.pdf' && password !== 'open') throw failure('document_locked');
    return added(upload);
  });
  uploads.add([file('locked.pdf'), file('other.pdf')]);
  await vi.waitFor(() => expect(names).toEqual(['other.pdf']));
  const locked = uploads.asking!;
  expect([locked.name, locked.state, locked.failure]).toEqual(['locked.pdf', 'locked', null]);
  await uploads.finish(locked, { password: 'shut' });
  expect(uploads.asking?.failure?.code).toBe('document_locked');
  await uploads.finish(locked, { password: 'open' });
  expect(names).toEqual(['other.pdf', 'locked.pdf']);
  expect(uploads.all).toEqual([]);
});

test('of hundreds that need a password the app keeps one; what opens one is tried on the others', async () => {
  const held = new Set<string>();
  const most: number[] = [];
  const passwordOf = (name: string): string => (name === '50.pdf' || name === '60.pdf' ? 'other' : 'open');
  const client = createFakeClient({
    'documents.begin': ({ name }) => (held.add(name), most.push(held.size), { upload: name }),
    'documents.piece': () => null,
    'documents.drop': ({ upload }) => (held.delete(upload), null),
    'documents.finish': ({ upload, password }) => {
      if (password !== passwordOf(upload)) throw failure('document_locked');
      held.delete(upload);
      return added(upload);
    },
  });
  const names: string[] = [];
  const uploads = new Uploads(client, ({ document }) => names.push(document.name));
  const files = Array.from({ length: 100 }, (_, index) => file(`${index}.pdf`));
  const locked = (count: number): Promise<void> =>
    vi.waitFor(() => expect(uploads.all.map(({ state }) => state)).toEqual(Array(count).fill('locked')), { timeout: 20_000 });
  uploads.add(files);
  await locked(100);
  expect([...held]).toEqual(['0.pdf']);
  await uploads.finish(uploads.asking!, { password: 'open', keepsText: false });
  await locked(2);
  // What was said of the text of one holds for those that its password opens.
  expect(
    client
      .inputs('documents.finish')
      .filter(({ password }) => password === 'open')
      .every(({ keepsText }) => keepsText === false),
  ).toBe(true);
  // Nobody has said anything wrong of these.
  expect(uploads.all.map(({ name, failure: why }) => [name, why])).toEqual([
    ['50.pdf', null],
    ['60.pdf', null],
  ]);
  await uploads.finish(uploads.asking!, { password: 'shut' });
  expect([uploads.asking?.name, uploads.asking?.failure?.code, uploads.all.length]).toEqual(['50.pdf', 'document_locked', 2]);
  await uploads.finish(uploads.asking!, { password: 'other' });
  await vi.waitFor(() => expect(uploads.all).toEqual([]));
  expect([names.length, Math.max(...most), [...held]]).toEqual([100, 2, []]);
});

test('what opened one is tried on those that come after it, and forgotten with the last of them', async () => {
  const arriving = Promise.withResolvers<null>();
  const { client, uploads, names } = rig(async ({ upload, password }) => {
    if (upload === 'slow.pdf') await arriving.promise;
    else if (password !== (upload === 'second.pdf' ? 'other' : 'open')) throw failure('document_locked');
    return added(upload);
  });
  const order = ['first.pdf', 'second.pdf', 'slow.pdf', 'later.pdf'];
  uploads.add(order.map((name) => file(name)));
  await vi.waitFor(() => expect(uploads.all[2]?.state).toBe('checking'));
  await uploads.finish(uploads.asking!, { password: 'open' });
  arriving.resolve(null);
  await vi.waitFor(() => expect(uploads.all.map(({ name }) => name)).toEqual(['second.pdf']));
  await uploads.finish(uploads.asking!, { password: 'other' });
  await done(uploads);
  expect(names).toEqual(['first.pdf', 'slow.pdf', 'later.pdf', 'second.pdf']);
  // It stayed with the app while what was known was tried.
  expect(client.inputs('documents.begin').filter(({ name }) => name === 'later.pdf')).toHaveLength(1);
  uploads.add([file('another day.pdf')]);
  await vi.waitFor(() => expect(uploads.asking?.name).toBe('another day.pdf'));
});

test('while an answer is tried nothing else is asked', async () => {
  const tried = Promise.withResolvers<null>();
  const { uploads } = rig(async ({ password }) => {
    if (password !== null) await tried.promise;
    throw failure('document_locked');
  });
  uploads.add([file('first.pdf'), file('second.pdf')]);
  await vi.waitFor(() => expect(uploads.all.map(({ state }) => state)).toEqual(['locked', 'locked']));
  const finished = uploads.finish(uploads.asking!, { password: 'shut' });
  expect(uploads.asking).toBeNull();
  tried.resolve(null);
  await finished;
  expect([uploads.asking?.name, uploads.asking?.failure?.code]).toEqual(['first.pdf', 'document_locked']);
});

test('one whose password comes after the app has dropped it is sent again', async () => {
  let isGone = true;
  const { client, uploads, names } = rig(({ upload, password }) => {
    if (password === null) throw failure('document_locked');
    if (isGone) {
      isGone = false;
      throw failure('document_missing');
    }
    return added(upload);
  });
  uploads.add([file('locked.pdf')]);
  await vi.waitFor(() => expect(uploads.asking).not.toBeNull());
  await uploads.finish(uploads.asking!, { password: 'open' });
  expect([names, uploads.all, client.inputs('documents.piece').length]).toEqual([['locked.pdf'], [], 2]);
});

test('one that is cancelled while it is sent again is dropped', async () => {
  const { client, uploads, names } = rig(() => {
    throw failure('document_locked');
  });
  uploads.add([file('first.pdf'), file('second.pdf')]);
  await vi.waitFor(() => expect(uploads.all.map(({ state }) => state)).toEqual(['locked', 'locked']));
  const second = uploads.all[1]!;
  const finished = uploads.finish(second, { password: 'open' });
  uploads.cancel(second);
  await finished;
  expect([names, uploads.all.map(({ name }) => name)]).toEqual([[], ['first.pdf']]);
  expect(client.inputs('documents.drop').map(({ upload }) => upload)).toEqual(['second.pdf', 'second.pdf']);
});

test('one that is too long waits for a range, also after one that it does not have', async () => {
  const { uploads, names } = rig(({ upload, pages }) => {
    if (pages === '1-2') return added(upload);
    throw failure(pages === null ? 'document_too_large' : 'usage');
  });
  uploads.add([file('long.pdf')]);
  await vi.waitFor(() => expect(uploads.asking?.state).toBe('tooLong'));
  await uploads.finish(uploads.asking!, { pages: '9000' });
  expect(uploads.asking?.failure?.code).toBe('usage');
  await uploads.finish(uploads.asking!, { pages: '1-2' });
  expect(names).toEqual(['long.pdf']);
});

test('one that is locked and too long is asked for both, and forgets neither', async () => {
  const { uploads, names } = rig(({ upload, password, pages }) => {
    if (password !== 'open') throw failure('document_locked');
    if (pages !== '1-2') throw failure(pages === null ? 'document_too_large' : 'usage');
    return added(upload);
  });
  uploads.add([file('long.pdf')]);
  await vi.waitFor(() => expect(uploads.asking?.state).toBe('locked'));
  await uploads.finish(uploads.asking!, { password: 'open' });
  expect(uploads.asking?.state).toBe('tooLong');
  await uploads.finish(uploads.asking!, { pages: '9000' });
  await uploads.finish(uploads.asking!, { pages: '1-2' });
  expect(names).toEqual(['long.pdf']);
});

test('one that fails says why, leaves nothing with the app, and the others are added', async () => {
  const { client, uploads, names } = rig(({ upload }) => {
    if (upload === 'bad.pdf') throw failure('document_unreadable');
    return added(upload);
  });
  uploads.add([file('bad.pdf'), file('letter.docx'), file('good.pdf')]);
  await vi.waitFor(() => expect(names).toEqual(['good.pdf']));
  expect(uploads.all.map(({ name, state, failure: why }) => [name, state, why?.message])).toEqual([
    ['bad.pdf', 'failed', 'It failed: document_unreadable.'],
    ['letter.docx', 'failed', 'letter.docx is neither a PDF nor a picture that Loupe reads.'],
  ]);
  expect(client.inputs('documents.drop')).toEqual([{ upload: 'bad.pdf' }]);
  expect(client.inputs('documents.begin').map(({ name }) => name)).toEqual(['bad.pdf', 'good.pdf']);
});

test('one that has more bytes than is read is refused before any of them is sent, and not asked about', async () => {
  const { client, uploads } = rig();
  uploads.add([Object.defineProperty(file('huge.pdf'), 'size', { value: 2_000_000_000 })]);
  await vi.waitFor(() => expect(uploads.all[0]?.state).toBe('failed'));
  expect([uploads.all[0]?.failure?.message, uploads.asking]).toEqual(['huge.pdf has 2.0 GB; at most 1.0 GB is read.', null]);
  expect(client.asked).toEqual([]);
});

test('one that is cancelled while it is sent is dropped', async () => {
  const arrived = Promise.withResolvers<null>();
  const client = createFakeClient({
    'documents.begin': ({ name }) => ({ upload: name }),
    'documents.piece': () => arrived.promise,
    'documents.drop': () => null,
  });
  const uploads = new Uploads(client, () => expect.unreachable());
  uploads.add([file('long.pdf', 9 * 1024 * 1024)]);
  await vi.waitFor(() => expect(client.inputs('documents.piece')).toHaveLength(1));
  uploads.cancel(uploads.all[0]!);
  arrived.resolve(null);
  await vi.waitFor(() => expect(client.inputs('documents.drop')).toEqual([{ upload: 'long.pdf' }]));
  expect(uploads.all).toEqual([]);
  expect(client.inputs('documents.piece')).toHaveLength(1);
});

test('a file that can no longer be read says so', async () => {
  const { uploads } = rig();
  const gone = file('gone.pdf');
  gone.slice = () => ({ arrayBuffer: () => Promise.reject(new DOMException('gone', 'NotReadableError')) }) as Blob;
  uploads.add([gone]);
  await vi.waitFor(() => expect(uploads.all[0]?.failure?.message).toBe('gone.pdf cannot be read any more.'));
});

test('a drive that does not answer holds up the others until its file is cancelled', async () => {
  const { uploads, names } = rig();
  const stuck = file('stuck.pdf');
  stuck.slice = () => ({ arrayBuffer: () => new Promise(() => {}) }) as unknown as Blob;
  uploads.add([stuck, file('other.pdf')]);
  await vi.waitFor(() => expect(uploads.all[0]?.state).toBe('sending'));
  uploads.cancel(uploads.all[0]!);
  await done(uploads);
  expect(names).toEqual(['other.pdf']);
});

test('those that wait can be left out at once', async () => {
  const { client, uploads } = rig(() => new Promise<never>(() => {}) as never);
  uploads.add([file('first.pdf'), file('second.pdf'), file('third.pdf')]);
  await vi.waitFor(() => expect(client.inputs('documents.finish')).toHaveLength(1));
  uploads.cancelAll(uploads.all.filter(({ state }) => state === 'waiting'));
  expect(uploads.all.map(({ name }) => name)).toEqual(['first.pdf']);
});
