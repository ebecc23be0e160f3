/** All that a page gets of Electron: asking the app, and hearing from it. Both ends check what passes. */
import { contextBridge, ipcRenderer } from 'electron';
import { channels } from './channels.ts';

contextBridge.exposeInMainWorld('loupe', {
  request: (name: string, input: unknown): Promise<unknown> => ipcRenderer.invoke(channels.request, name, input),
  onEvent: (listener: (message: unknown) => void): void => {
    ipcRenderer.on(channels.event, (_event, message: unknown) => listener(message));
  },
});
