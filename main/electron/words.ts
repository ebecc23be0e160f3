import type { SecretName } from '../services/ports.ts';

type SecretKind = 'hub-token' | 'api-key' | 'server-key';
const secrets: Record<SecretKind, { name: string; another: string; refusedNext: string }> = {
  'hub-token': {
    name: 'token',
    another: 'enter the token again',
    refusedNext: 'Unlock the keychain and try again, or start Loupe with HF_TOKEN set.',
  },
  'api-key': { name: 'key for programs', another: 'make a new key', refusedNext: 'Unlock the keychain and try again.' },
  'server-key': { name: 'key of the server', another: 'enter the key again', refusedNext: 'Unlock the keychain and try again.' },
};
const of = (name: SecretName): (typeof secrets)[SecretKind] => secrets[name === 'hub-token' || name === 'api-key' ? name : 'server-key'];

/** Every word that the shell itself says: menus, dialogs, titles. The window has its own catalogue. */
export const words = {
  name: 'Loupe',
  saveFile: (name: string) => `Save ${name}`,
  capture: {
    pictureName: 'Screen capture',
    display: (number: number) => `Display ${number}`,
    noDisplay: 'The screen could not be captured: the system delivered no picture of it.',
    noScreenCast: 'This desktop (Wayland) hands no program a picture of the screen: it has no portal for that.',
    noScreenCastNext:
      'Install xdg-desktop-portal with the part for your desktop (xdg-desktop-portal-gnome, -kde or -wlr) and sign in again. ' +
      'Until then, paste a screenshot from another program.',
    portalNext: 'If your desktop asked which screen to share, choose one; otherwise paste a screenshot from another program.',
    over: 'This capture has ended.',
    overNext: 'Press the hotkey to capture again.',
    outside: 'The selected region lies outside the display.',
    notCopied: 'The text was read, but the system’s clipboard did not take it.',
    notCopiedNext: 'Capture the region again; if that does not help, end programs that watch the clipboard.',
    failed: 'Loupe could not capture the screen',
    notDrawn: 'The frozen screen could not be shown: its window did not draw it.',
    notTaken: 'No picture was taken: whoever uses Loupe left the capture, or was in another one.',
    notTakenNext: 'Do not try again unless you are asked to.',
    programLeft: 'The program left before a picture was taken.',
  },
  pin: {
    closed: 'This pinned picture is closed.',
    closedNext: 'Capture again and choose “Pin”.',
    copy: 'Copy Picture',
    save: 'Save Picture As…',
    larger: 'Larger',
    smaller: 'Smaller',
    actual: 'Actual Size',
    opacity: 'Opacity',
    percent: (share: number) => `${Math.round(share * 100)} %`,
    close: 'Close',
    closeAll: 'Close All Pinned Pictures',
  },
  permission: {
    missing: 'macOS does not let Loupe see the screen yet.',
    next: 'Allow Loupe under System Settings > Privacy & Security > Screen & System Audio Recording, then start Loupe again.',
    openSettings: 'Open System Settings',
    later: 'Not Now',
  },
  link: {
    question: (host: string) => `Open ${host} in your browser?`,
    detail: (href: string) => `${href}\n\nYour browser will connect to it; Loupe itself will not.`,
    open: 'Open in Browser',
    cancel: 'Cancel',
  },
  context: {
    noSuggestions: 'No Spelling Suggestions',
    learn: 'Learn Spelling',
    lookUp: (text: string) => `Look Up “${text}”`,
    copyPicture: 'Copy Picture',
    savePicture: 'Save Picture As…',
    saveTitle: 'Save Picture',
    saveFailed: 'The picture could not be saved',
    copyLink: 'Copy Link Address',
  },
  folder: { title: 'Choose a Folder of Models', choose: 'Choose' },
  archive: {
    filter: 'Export of Loupe',
    exportTitle: 'Export Everything',
    export: 'Export',
    importTitle: 'Import an Export',
    import: 'Import',
  },
  secrets: {
    noKeychain: 'No keychain was found on this desktop (on Linux: GNOME Keyring or KWallet).',
    unreadable: (name: SecretName) =>
      `The saved ${of(name).name} cannot be read: the keychain did not unlock it. Unlock the keychain, or ${of(name).another}.`,
    unreadableFile: (name: SecretName, path: string, code: string) =>
      `The saved ${of(name).name} cannot be read (${path}: ${code}). Check the permissions of the folder, or ${of(name).another}.`,
    unforgettable: (name: SecretName, path: string, code: string) => `The ${of(name).name} saved in ${path} cannot be deleted (${code}).`,
    unforgettableNext: 'Check the permissions of the folder, or delete the file yourself.',
    unwritable: (name: SecretName, path: string, code: string) =>
      `${path} cannot be written (${code}), so the ${of(name).name} is not kept.`,
    refused: (name: SecretName) => `The system’s keychain refused the ${of(name).name}.`,
    refusedNext: (name: SecretName) => of(name).refusedNext,
  },
  fault: {
    refusedSwitch: (name: string) => `Loupe does not start with --${name}, which would open it to other programs. Start it without.\n`,
    start: 'Loupe could not start',
    unexpected: 'Loupe has to stop',
    unexpectedNext: 'An unexpected error occurred. Nothing that was saved is lost; the logs folder has a report. Start Loupe again.',
    window: 'The window stopped working several times.',
    windowNext: 'Nothing that was saved is lost. Quit Loupe and start it again; if it keeps happening, the logs folder has a report.',
    tryAgain: 'Try Again',
    quit: 'Quit Loupe',
    close: 'Close',
  },
  tray: {
    title: 'Loupe keeps running',
    body: 'Its icon is in the tray, and the hotkey works. To end it, choose Quit in the icon’s menu. Settings > General changes this.',
  },
  menu: {
    ask: 'Ask About the Screen',
    askLast: 'Ask About the Same Region Again',
    askLater: 'Ask About the Screen in 3 Seconds',
    open: 'Open Loupe',
    quit: 'Quit Loupe',
    file: 'File',
    edit: 'Edit',
    view: 'View',
    window: 'Window',
  },
  window: {
    refused: 'This page may not ask Loupe for anything.',
    refusedNext: 'Close it and open Loupe again.',
  },
} as const;
