/** The way from a window's page to the handlers, and of events to the pages. */
import type { IpcMain, WebContents } from 'electron';
import type { EventMessage, Handlers } from '../contract.ts';
import { dispatch, type Reply } from '../dispatch.ts';
import { LoupeError } from '../errors.ts';
import { channels } from './channels.ts';
import { entry } from './entries.ts';
import { isTrustedSender, type Sender } from './options.ts';
import { words } from './words.ts';

export interface IpcParts {
  ipcMain: Pick<IpcMain, 'handle' | 'removeHandler'>;
  handlers: Handlers;
  isOurWindow: (contentsId: number) => boolean;
  /** The window that this page is in needs this height, DIP. */
  growWindow: (contentsId: number, height: number) => void;
  /** Closes the window that this page is in. */
  closeWindow: (contentsId: number) => void;
  onFault: (error: unknown) => void;
  /** A request came from elsewhere than our pages. */
  onStranger: () => void;
}

/** Returns a function that stops it. */
export function serveWindows({ ipcMain, handlers, isOurWindow, growWindow, closeWindow, onFault, onStranger }: IpcParts): () => void {
  ipcMain.handle(
    channels.request,
    entry(async (event: Sender, name: unknown, input: unknown): Promise<Reply> => {
      if (!isTrustedSender(event, isOurWindow)) {
        onStranger();
        return new LoupeError('protocol', words.window.refused, words.window.refusedNext).toFailure();
      }
      const { id } = event.sender;
      const ofThisWindow: Handlers = {
        ...handlers,
        'windows.grow': ({ height }) => {
          growWindow(id, height);
          return null;
        },
        'windows.close': () => {
          closeWindow(id);
          return null;
        },
      };
      return dispatch(ofThisWindow, name, input, onFault);
    }),
  );
  return () => ipcMain.removeHandler(channels.request);
}

/** Tells every page. */
export function broadcast(pages: Iterable<Pick<WebContents, 'send' | 'isDestroyed'>>, message: EventMessage): void {
  for (const page of pages) if (!page.isDestroyed()) page.send(channels.event, message);
}
