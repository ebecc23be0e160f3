import { filesOfDrop, nothingBrought } from '../documents/dropped-files.ts';
import type { Library } from './library.svelte.ts';
import type { Toasts } from './toasts.svelte.ts';
import type { Ui } from './ui.svelte.ts';

interface Places {
  library: Library;
  toasts: Toasts;
  ui: Ui;
}

/** Puts them into the library, which opens. The entries of a drop are taken at once. */
export function bringDocuments({ library, toasts, ui }: Places, what: DataTransfer | readonly File[]): void {
  const brought = what instanceof DataTransfer ? filesOfDrop(what) : Promise.resolve({ ...nothingBrought, files: [...what] });
  toasts.attempt(brought.then((all) => library.add(all)));
  ui.open('library');
}
