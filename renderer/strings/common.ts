export const common = {
  appName: 'Loupe',
  starting: 'Starting Loupe…',
  close: 'Close',
  cancel: 'Cancel',
  keep: 'Keep it',
  undo: 'Undo',
  copy: 'Copy',
  copied: 'Copied',
  retry: 'Try again',
  dismiss: 'Dismiss',
  more: 'More',
  notifications: 'Notifications',
};

/** Before a link to another page is opened; the desktop app asks in the same words. */
export const link = {
  question: (host: string) => `Open ${host} in your browser?`,
  detail: 'Your browser will connect to it; Loupe itself will not.',
  open: 'Open in Browser',
  cancel: 'Cancel',
} as const;

/** In place of the window, in a browser. */
export const refused = {
  used: {
    title: 'This link was used before',
    next: 'Links to Loupe work once. If you have not opened this one, somebody else on this computer has: press Ctrl-C in the terminal, and start Loupe again. That shuts them out.',
  },
  unknown: {
    title: 'Open Loupe with its link',
    next: 'Loupe prints a link in the terminal when it starts. If it was started again since, the newest link is the one that works.',
  },
  unreachable: {
    title: 'Loupe is not running',
    next: 'Start it with `loupe serve`, and open the link that it prints.',
  },
} as const;

export const failures = {
  noReply: (name: string) => `The app gave no usable answer to ${name}.`,
  versions: 'The window and the app have different versions. Close Loupe and start it again.',
  report: 'This is a bug in Loupe. Please report it with this message.',
  disconnected: 'The connection to Loupe was lost.',
  reconnecting: 'This page reconnects by itself while Loupe runs. If it was restarted, open the new link it printed.',
};
