/** What the shell asks and reports in the system's own dialogs. */
import { toLoupeError, usualNextSteps } from '../errors.ts';
import type { ElectronModule } from './electron-module.ts';
import { answer } from './entries.ts';
import { words } from './words.ts';

const screenRecordingSettings = 'x-apple.systempreferences:com.apple.preference.security?Privacy_ScreenCapture';

/** A link of an answer opens in the browser, once the person has agreed. */
export async function offerLink(
  { BrowserWindow, dialog, shell }: ElectronModule,
  { host, href }: { host: string; href: string },
): Promise<void> {
  const options: Electron.MessageBoxOptions = {
    type: 'question',
    message: words.link.question(host),
    detail: words.link.detail(href),
    buttons: [words.link.open, words.link.cancel],
    defaultId: 1,
    cancelId: 1,
  };
  const parent = BrowserWindow.getFocusedWindow();
  const { response } = await answer(parent ? dialog.showMessageBox(parent, options) : dialog.showMessageBox(options));
  if (response === 0) await answer(shell.openExternal(href));
}

/** Null when the person chooses none. */
export async function chooseFolder({ BrowserWindow, dialog }: ElectronModule, from: string): Promise<string | null> {
  const options: Electron.OpenDialogOptions = {
    title: words.folder.title,
    buttonLabel: words.folder.choose,
    defaultPath: from,
    properties: ['openDirectory', 'createDirectory'],
  };
  const parent = BrowserWindow.getFocusedWindow();
  const { canceled, filePaths } = await answer(parent ? dialog.showOpenDialog(parent, options) : dialog.showOpenDialog(options));
  return canceled ? null : (filePaths[0] ?? null);
}

/** The file that everything is exported to or imported from; null when the person chooses none. */
export async function chooseArchive({ BrowserWindow, dialog }: ElectronModule, work: 'export' | 'import'): Promise<string | null> {
  const parent = BrowserWindow.getFocusedWindow();
  const filters = [{ name: words.archive.filter, extensions: ['zip'] }];
  if (work === 'import') {
    const options: Electron.OpenDialogOptions = {
      title: words.archive.importTitle,
      buttonLabel: words.archive.import,
      filters,
      properties: ['openFile'],
    };
    const { canceled, filePaths } = await answer(parent ? dialog.showOpenDialog(parent, options) : dialog.showOpenDialog(options));
    return canceled ? null : (filePaths[0] ?? null);
  }
  const options: Electron.SaveDialogOptions = {
    title: words.archive.exportTitle,
    buttonLabel: words.archive.export,
    defaultPath: `loupe-${new Date().toISOString().slice(0, 10)}.zip`,
    filters,
    properties: ['showOverwriteConfirmation'],
  };
  const { canceled, filePath } = await answer(parent ? dialog.showSaveDialog(parent, options) : dialog.showSaveDialog(options));
  return canceled ? null : filePath || null;
}

/** For a capture that no window asked for. */
export async function reportCapture({ dialog, shell }: ElectronModule, error: unknown): Promise<void> {
  const { code, message, nextStep } = toLoupeError(error);
  const isPermission = code === 'capture_permission';
  const { response } = await answer(
    dialog.showMessageBox({
      type: 'warning',
      message: isPermission ? message : words.capture.failed,
      detail: isPermission ? nextStep : `${message}\n\n${nextStep}`,
      buttons: isPermission ? [words.permission.openSettings, words.permission.later] : [words.fault.close],
      cancelId: isPermission ? 1 : 0,
    }),
  );
  if (isPermission && response === 0) await answer(shell.openExternal(screenRecordingSettings));
}

/** For a picture that was to be saved as a file. */
export async function reportPicture({ dialog }: ElectronModule, error: unknown): Promise<void> {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  // What the file system says, as when the disk is full; the rest has words of its own.
  const written = /^E[A-Z]+$/.test(code);
  const { message, nextStep } = written
    ? { message: (error as Error).message, nextStep: usualNextSteps[code === 'ENOSPC' ? 'disk_full' : 'file_unwritable'] }
    : toLoupeError(error);
  await answer(
    dialog.showMessageBox({
      type: 'warning',
      message: words.context.saveFailed,
      detail: `${message}\n\n${nextStep}`,
      buttons: [words.fault.close],
    }),
  );
}

/** After the page of the main window ended repeatedly: tries it again, or quits. */
export async function offerReload({ app, dialog }: ElectronModule, reload: () => void): Promise<void> {
  const { response } = await answer(
    dialog.showMessageBox({
      type: 'error',
      message: words.fault.window,
      detail: words.fault.windowNext,
      buttons: [words.fault.tryAgain, words.fault.quit],
      defaultId: 0,
      cancelId: 0,
    }),
  );
  if (response === 0) reload();
  else app.quit();
}
