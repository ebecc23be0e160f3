import { flushSync } from 'svelte';
import { afterEach, expect, test, vi } from 'vitest';
import {
  defaultSettings,
  type CatalogueView,
  type Download,
  type FileFit,
  type FoundModel,
  type Licence,
  type ModelChoice,
} from '../../main/contract.ts';
import { AppState } from './app.svelte.ts';
import { createFakeClient } from './fake-client.ts';
import { ModelsPage } from './models.svelte.ts';
import { Toasts } from './toasts.svelte.ts';

const view: CatalogueView = {
  entries: [],
  directory: '/models',
  freeBytes: 1,
  downloaded: [],
  token: { source: null, kept: 'session', problem: null },
  offline: null,
  devicesFailure: null,
};
const licence: Licence = {
  id: 'llama3.2',
  name: 'L',
  version: '2024-09-25',
  text: 't',
  usePolicy: 'u',
  points: [],
  mustNot: [],
  europe: null,
  acceptedAt: null,
};
const found: FoundModel = {
  path: '/f',
  source: 'ollama',
  name: 'f',
  kind: 'vision',
  format: 'gguf',
  precision: 'Q4_K',
  bytes: 1,
  licence: 'llama3.2',
  added: false,
  problem: null,
};
const choice: ModelChoice = { id: '/f', name: 'f', kind: 'vision', bytes: 1, present: true };
const download: Download = {
  id: 1,
  model: 'm',
  name: 'M',
  repository: 'o/n',
  directory: '/models/n',
  state: 'running',
  doneBytes: 1,
  totalBytes: 2,
  bytesPerSecond: null,
  trouble: null,
  failure: null,
};
const entry = { id: 'm', licence: 'llama3.2' } as CatalogueView['entries'][number];

let page: ModelsPage;
let toasts: Toasts;
afterEach(() => {
  page.close();
  for (const { id } of toasts.shown) toasts.dismiss(id);
});

function begin({
  agreed = false,
  fit = () => null,
}: { agreed?: boolean; fit?: (input: { id: string }) => FileFit | null | Promise<FileFit | null> } = {}) {
  let acceptedAt = agreed ? 1 : null;
  const client = createFakeClient({
    'models.catalogue': () => view,
    'models.find': ({ path }) => (path === null ? [found] : [{ ...found, path, source: 'folder' }]),
    'models.downloads': () => [],
    'models.verifications': () => [],
    'models.quantisings': () => [],
    'models.licence': () => ({ ...licence, acceptedAt }),
    'models.acceptLicence': () => ({ ...licence, acceptedAt: (acceptedAt = 2) }),
    'models.add': () => choice,
    'models.fit': fit,
    'models.quantise': () => null,
    'models.download': () => download,
    'models.token': ({ token }) => ({ source: token === null ? null : 'own', kept: 'session', problem: null }),
    'settings.set': (change) => ({ ...defaultSettings, ...(change as typeof defaultSettings) }),
  });
  toasts = new Toasts();
  const app = new AppState(client);
  page = new ModelsPage(client, app, toasts);
  return { client, app };
}

const settle = () => vi.waitFor(() => expect([page.view, page.found]).not.toContain(null)).then(() => flushSync());

test('what was found and what is known already are one list without doubles', async () => {
  const { client } = begin();
  expect(page.found).toBeNull();
  await settle();
  expect(page.found).toEqual([found]);
  await page.look('/usb');
  expect(page.found?.map(({ path }) => path)).toEqual(['/usb', '/f']);
  client.send('models.changed', [choice]);
  expect(page.found?.map(({ path }) => path)).toEqual(['/usb']);
});

test('nothing begins before the licence is agreed to, and what waited begins then', async () => {
  const { client } = begin();
  await settle();
  await page.download(entry, 'o/n');
  expect(page.licence).toMatchObject({ id: 'llama3.2' });
  expect(client.inputs('models.download')).toEqual([]);
  page.decline();
  expect(page.licence).toBeNull();
  await page.download(entry, 'o/n');
  await page.agree();
  expect(client.inputs('models.acceptLicence')).toEqual([{ licence: 'llama3.2', version: '2024-09-25' }]);
  expect(client.inputs('models.download')).toEqual([{ model: 'm', repository: 'o/n' }]);
  expect(page.downloadOf(entry)).toEqual(download);
  // Agreed to once is enough.
  await page.useFound(found);
  expect(page.licence).toBeNull();
  expect(client.inputs('settings.set')).toEqual([{ model: '/f' }]);
});

test('an end is announced only for what arrived', async () => {
  const { client } = begin({ agreed: true });
  await settle();
  client.send('downloads.changed', [download]);
  client.send('downloads.changed', []);
  expect(toasts.shown).toEqual([]);
  client.send('downloads.changed', [download]);
  client.send('models.changed', [{ ...choice, id: '/models/n' }]);
  client.send('downloads.changed', []);
  expect(toasts.shown.map(({ message }) => message)).toEqual(['M was downloaded.']);
});

const slow: FileFit = { device: 'GPU', outcome: 'slow', reason: 'Slow.', advice: null, copy: null, totalBytes: 2, roomBytes: 1 };

test('a model that does not fit asks before it is chosen', async () => {
  const { client } = begin({ fit: () => slow });
  await settle();
  await page.use(choice);
  expect(page.choosing.doubt).toMatchObject({ name: choice.name, fit: slow });
  page.choosing.decline();
  expect(page.choosing.doubt).toBeNull();
  expect(client.inputs('settings.set')).toEqual([]);
  await page.use(choice);
  await page.choosing.confirm();
  expect(page.choosing.doubt).toBeNull();
  expect(client.inputs('settings.set')).toEqual([{ model: choice.id }]);
});

test('the latest choice counts, however late an earlier one is known to fit or not', async () => {
  const answers: ((fit: FileFit | null) => void)[] = [];
  const { client, app } = begin({ fit: ({ id }) => (id === '/late' ? new Promise((resolve) => answers.push(resolve)) : null) });
  await settle();
  const late = { ...choice, id: '/late' };
  const choosings = [page.choosing.choose(late), page.choosing.choose(late), page.choosing.choose(choice)];
  await choosings[2];
  answers[0]!(slow);
  answers[1]!(null);
  await Promise.all(choosings);
  expect(page.choosing.doubt).toBeNull();
  expect(client.inputs('settings.set')).toEqual([{ model: choice.id }]);
  // To stay with what is in use is a choice, too.
  const stay = { ...choice, id: app.settings.model };
  const given = page.choosing.choose(late);
  await page.choosing.choose(stay);
  answers[2]!(slow);
  await given;
  expect(page.choosing.doubt).toBeNull();
  // It answers what was asked before.
  const asked = page.choosing.choose(late);
  answers[3]!(slow);
  await asked;
  expect(page.choosing.doubt).not.toBeNull();
  await page.choosing.choose(stay);
  expect(page.choosing.doubt).toBeNull();
  expect(client.inputs('settings.set')).toHaveLength(1);
});

test('or makes the copy that runs better', async () => {
  const { client } = begin({ fit: () => ({ ...slow, copy: 'q4_k_m' }) });
  await settle();
  await page.use(choice);
  await page.choosing.copy();
  expect(page.choosing.doubt).toBeNull();
  expect(client.inputs('models.quantise')).toEqual([{ id: choice.id, form: 'q4_k_m' }]);
  expect(client.inputs('settings.set')).toEqual([]);
  expect(toasts.shown.map(({ tone }) => tone)).toEqual(['calm']);
});

test.each<[string, () => FileFit | null]>([
  ['fits', () => ({ ...slow, outcome: 'fits' })],
  ['is not known', () => null],
  [
    'could not be asked',
    () => {
      throw new Error('gone');
    },
  ],
])('a model of which it %s is chosen at once', async (_, fit) => {
  const { client } = begin({ fit });
  await settle();
  await page.use(choice);
  expect(client.inputs('settings.set')).toEqual([{ model: choice.id }]);
  expect(toasts.shown).toEqual([]);
});

test('a refusal is shown in the app’s words; the token is kept by the app alone', async () => {
  begin();
  await settle();
  await page.control('models.pause', download);
  expect(toasts.shown).toHaveLength(1);
  await page.setToken('hf_secret');
  expect(page.hasToken).toBe(true);
  expect(JSON.stringify(page.view)).not.toContain('hf_secret');
});
