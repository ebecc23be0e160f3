import { expect, test, vi } from 'vitest';
import type { Archives } from '../services/archive/archive.ts';
import { archiveHandlers } from './archive.ts';

function handlersWith(chooseArchive?: (work: 'export' | 'import') => Promise<string | null>) {
  const archives = { export: vi.fn(), import: vi.fn() };
  const handlers = archiveHandlers(archives as unknown as Archives, { ...(chooseArchive ? { chooseArchive } : {}) } as never);
  return { archives, handlers };
}

test('where the system can ask, no page names a file, and one that is there may be replaced', async () => {
  const { archives, handlers } = handlersWith(async (work) => `/chosen/${work}.zip`);
  await expect(handlers['archive.export']({ path: '/home/me/.bashrc' })).rejects.toMatchObject({ code: 'request_refused' });
  await expect(handlers['archive.import']({ path: '/etc/passwd' })).rejects.toMatchObject({ code: 'request_refused' });
  expect(archives.export).not.toHaveBeenCalled();
  expect(await handlers['archive.export']({ path: null })).toEqual({ begun: true });
  expect(archives.export).toHaveBeenCalledExactlyOnceWith('/chosen/export.zip', { replaces: true });
  expect(await handlers['archive.import']({ path: null })).toEqual({ begun: true });
  expect(archives.import).toHaveBeenCalledExactlyOnceWith('/chosen/import.zip');
});

test('nothing begins where the person chooses none', async () => {
  const { archives, handlers } = handlersWith(async () => null);
  expect(await handlers['archive.export']({ path: null })).toEqual({ begun: false });
  expect(archives.export).not.toHaveBeenCalled();
});

test('elsewhere a file is named in full, and replaced by none', async () => {
  const { archives, handlers } = handlersWith();
  for (const path of [null, 'all.zip', '../all.zip'])
    await expect(handlers['archive.export']({ path })).rejects.toMatchObject({ code: 'usage' });
  expect(await handlers['archive.export']({ path: '/home/me/all.zip' })).toEqual({ begun: true });
  expect(archives.export).toHaveBeenCalledExactlyOnceWith('/home/me/all.zip', { replaces: false });
});
