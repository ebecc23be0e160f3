import { createContext } from 'svelte';
import type { Client } from '../api/client.ts';
import type { AppState } from './app.svelte.ts';
import type { Chat } from './chat.svelte.ts';
import type { Conversations } from './conversations.svelte.ts';
import type { Library } from './library.svelte.ts';
import type { Tables } from './tables.svelte.ts';
import type { Toasts } from './toasts.svelte.ts';
import type { Ui } from './ui.svelte.ts';

/** What the components of a window share. */
export interface Loupe {
  client: Client;
  app: AppState;
  toasts: Toasts;
  ui: Ui;
}

/** For every view; set by App.svelte. */
export const [getLoupe, setLoupe] = createContext<Loupe>();

/** What the parts of the main window share. */
export interface MainContext {
  conversations: Conversations;
  chat: Chat;
  library: Library;
  tables: Tables;
}

/** Set by the main view. */
export const [getMain, setMain] = createContext<MainContext>();
