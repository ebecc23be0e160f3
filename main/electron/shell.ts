/** The start of the desktop app: one instance, what reaches it from outside, and what happens when it cannot start. */
import { accessSync, constants, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '../host/log.ts';
import { makeFolderSync } from '../make-folder.ts';
import { dataDirectory } from '../host/paths.ts';
import { toLoupeError } from '../errors.ts';
import type { ElectronModule } from './electron-module.ts';
import { assemble } from './assemble.ts';
import { offerLink } from './dialogs.ts';
import { hasShortcutsPortal, isWayland, showsTray as desktopShowsTray } from './desktop.ts';
import { entry } from './entries.ts';
import { hardenContents } from './harden.ts';
import { firstIntent, intentOfArguments, intentOfFile, intentOfLink, parseIntent, type Intent } from './intents.ts';
import { refusedSwitch, scheme, schemePrivileges } from './options.ts';
import { findPlaces } from './places.ts';
import { words } from './words.ts';

export interface StartOptions {
  /** Folder of the entry and what was built with it. */
  bundle: string;
  /** Of the command line, without the program and its entry. */
  args: string[];
  /** Whether the desktop shows a tray; absent = asks it. */
  showsTray?: () => Promise<boolean>;
}

/** To be called while the entry is loaded, before Electron is ready. */
export function startShell(
  electron: ElectronModule,
  { bundle, args, showsTray = () => desktopShowsTray(process.platform, process.env) }: StartOptions,
): void {
  const { app, protocol } = electron;
  const refused = app.isPackaged ? refusedSwitch((name) => app.commandLine.hasSwitch(name)) : null;
  if (refused) {
    process.stderr.write(words.fault.refusedSwitch(refused));
    app.exit(1);
    return;
  }
  const { platform, env } = process;
  const wayland = isWayland(platform, env);
  const data = dataDirectory();
  const log = createLog(join(data, 'logs'));

  app.setName(words.name);
  // Chromium's own files; the lock of the single instance is among them, so that each data folder has one.
  const profile = join(data, 'shell');
  app.setPath('userData', makeProfile(profile));
  app.enableSandbox();
  for (const flag of ['disable-background-networking', 'disable-component-update', 'disable-domain-reliability', 'no-pings'])
    app.commandLine.appendSwitch(flag);
  if (wayland) app.commandLine.appendSwitch('enable-features', 'GlobalShortcutsPortal');

  // Relative paths are this start's, not the first instance's.
  const intent = intentOfArguments(args, process.cwd());
  if (!app.requestSingleInstanceLock(intent)) {
    // The first instance got the intent.
    app.quit();
    return;
  }
  process.on('uncaughtException', (error) => {
    log(error);
    electron.dialog.showErrorBox(words.fault.unexpected, words.fault.unexpectedNext);
    app.exit(1);
  });
  process.on('unhandledRejection', (reason) => log(reason));
  protocol.registerSchemesAsPrivileged([{ scheme, privileges: schemePrivileges }]);

  // Intents that come before everything stands wait for it.
  let act: (next: Intent) => void = (next) => waiting.push(next);
  const waiting: Intent[] = [];
  app.on(
    'second-instance',
    entry((_event, _argv, _directory, handedOver) => act(parseIntent(handedOver) ?? { kind: 'show', conversationId: null })),
  );
  app.on(
    'open-url',
    entry((event, link) => {
      event.preventDefault();
      const linked = intentOfLink(link);
      if (linked) act(linked);
    }),
  );
  app.on(
    'open-file',
    entry((event, path) => {
      event.preventDefault();
      act(intentOfFile(path));
    }),
  );
  // Closing windows decides nothing: the tray, the menu and the main window do.
  app.on(
    'window-all-closed',
    entry(() => {}),
  );
  app.on(
    'web-contents-created',
    entry((_event, contents) => hardenContents(contents, { offerLink: (link) => void offerLink(electron, link).catch(log) })),
  );
  app.on(
    'child-process-gone',
    entry((_event, { type, name, reason, exitCode }) => {
      // The app's own processes log their ends themselves: they know which ends were asked for.
      if (!name?.startsWith('Loupe ')) log(`the process ${name ?? type} ended: ${reason}, code ${exitCode}`);
    }),
  );

  app
    .whenReady()
    .then(async () => {
      const places = findPlaces({ packaged: app.isPackaged, bundle, resources: process.resourcesPath });
      const portal = wayland && (await hasShortcutsPortal());
      const assembled = await assemble({ electron, places, data, log, wayland, portal, showsTray });
      act = assembled.act;
      act(
        firstIntent(intent, {
          atLogin: platform === 'darwin' && app.getLoginItemSettings().wasOpenedAtLogin,
          minimised: assembled.startMinimised,
        }),
      );
      for (const next of waiting) act(next);
    })
    .catch((error: unknown) => {
      log(error);
      const { message, nextStep } = toLoupeError(error);
      electron.dialog.showErrorBox(words.fault.start, `${message}\n\n${nextStep}`);
      app.exit(1);
    });
}

/** Beside the data, or for this session alone where that cannot be written to: Chromium needs one to write to. */
function makeProfile(wanted: string): string {
  try {
    makeFolderSync(wanted, 0o700);
    accessSync(wanted, constants.W_OK);
    return wanted;
  } catch {
    return mkdtempSync(join(tmpdir(), 'loupe-shell-'));
  }
}
