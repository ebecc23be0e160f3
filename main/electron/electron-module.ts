import type * as electronModule from 'electron';

/** All of Electron, as the parts of the shell take it. */
export type ElectronModule = typeof electronModule;
