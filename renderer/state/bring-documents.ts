import { filesOfDrop, nothingBrought } from '../documents/dropped-files.ts';
import { strings } from '../strings.ts';
import type { Chat } from './chat.svelte.ts';
import type { Library } from './library.svelte.ts';
import type { Toasts } from './toasts.svelte.ts';
import type { Ui } from './ui.svelte.ts';

interface Places {
  chat: Chat;
  library: Library;
  toasts: Toasts;
  ui: Ui;
}

/** Puts them into the library, which opens; not while a private conversation is shown. The entries of a drop are taken at once. */
export function bringDocuments({ chat, library, toasts, ui }: Places, what: DataTransfer | readonly File[]): void {
  if (chat.current?.isPrivate) return void toasts.show({ message: strings.privately.noDocuments });
  const brought = what instanceof DataTransfer ? filesOfDrop(what) : Promise.resolve({ ...nothingBrought, files: [...what] });
  toasts.attempt(brought.then((all) => library.add(all)));
  ui.open('library');
}
