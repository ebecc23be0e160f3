/** Exporting and importing without a window: what `loupe export` and `loupe import` work with. */
import { exportArchive, type Exported } from './services/archive/export.ts';
import { importArchive, type Imported } from './services/archive/import.ts';
import { createPictures } from './services/pictures.ts';
import type { PictureWorker } from './services/ports.ts';
import { openStore } from './storage/store.ts';

export interface ArchiveServices {
  export(path: string, options: ArchiveOptions): Promise<Exported>;
  import(path: string, options: ArchiveOptions): Promise<Imported>;
  close(): void;
}

export interface ArchiveOptions {
  signal: AbortSignal;
  onStep: (done: number, all: number) => void;
}

export interface ArchiveServicesOptions {
  dataDirectory: string;
  /** Of Loupe. */
  version: string;
  /** Stays the caller's. Null where nothing is imported: then it works beside the running app. */
  worker: PictureWorker | null;
}

/** Throws `store_*` when the data folder cannot be used, as while the app is running, unless it only reads. */
export function openArchiveServices({ dataDirectory, version, worker }: ArchiveServicesOptions): ArchiveServices {
  const store = openStore(dataDirectory, { shares: worker === null });
  return {
    export: (path, options) => exportArchive({ store, path, version, ...options }),
    import: (path, options) => importArchive({ store, pictures: createPictures({ store, worker: worker! }), path, ...options }),
    close: () => store.close(),
  };
}
