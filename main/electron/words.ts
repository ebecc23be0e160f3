/** Every word that the shell itself says: menus, dialogs, titles. The window has its own catalogue. */
export const words = {
  name: 'Loupe',
  capture: {
    pictureName: 'Screen capture',
    display: (number: number) => `Display ${number}`,
    noDisplay: 'The screen could not be frozen: the system showed no picture of it.',
    portalNext: 'If your desktop asked which screen to share, choose one; else paste a screenshot from another program.',
    over: 'This capture is over.',
    overNext: 'Press the hotkey to capture again.',
    outside: 'The selected region lies outside the display.',
    failed: 'Loupe could not capture the screen',
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
  folder: { title: 'Choose a Folder of Models', choose: 'Choose' },
  secrets: {
    noKeychain: 'No keychain was found on this desktop (on Linux: GNOME Keyring or KWallet).',
    unreadable: 'The token that was kept cannot be read: the keychain did not open it. Unlock the keychain, or enter the token again.',
    unreadableFile: (path: string, code: string) =>
      `The token that was kept cannot be read (${path}: ${code}). Check the permissions of the folder, or enter the token again.`,
    unforgettable: (path: string, code: string) => `The token that was kept in ${path} cannot be deleted (${code}).`,
    unforgettableNext: 'Check the permissions of the folder, or delete the file yourself.',
    refused: 'The system’s keychain did not take the token.',
    refusedNext: 'Unlock the keychain and try again, or start Loupe with HF_TOKEN set.',
  },
  fault: {
    start: 'Loupe could not start',
    unexpected: 'Loupe has to stop',
    unexpectedNext:
      'Something happened that it was not made for. Nothing that was stored is lost; the logs folder has a report. Start Loupe again.',
    window: 'The window stopped working several times.',
    windowNext: 'Nothing that was stored is lost. Quit Loupe and start it again; if it goes on, the logs folder has a report.',
    tryAgain: 'Try Again',
    quit: 'Quit Loupe',
    close: 'Close',
  },
  menu: {
    ask: 'Ask About the Screen',
    askLast: 'Ask About the Same Region Again',
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
