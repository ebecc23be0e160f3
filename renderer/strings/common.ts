export const common = {
  appName: 'Loupe',
  close: 'Close',
  cancel: 'Cancel',
  undo: 'Undo',
  copy: 'Copy',
  copied: 'Copied',
  retry: 'Try again',
  dismiss: 'Dismiss',
  more: 'More',
  notifications: 'Notifications',
};

export const failures = {
  noReply: (name: string) => `The app gave no usable answer to ${name}.`,
  versions: 'The window and the app are of different versions: close Loupe and start it again.',
  report: 'This is a fault in Loupe: please report it with these words.',
  disconnected: 'The connection to Loupe was lost.',
  reconnecting: 'This page connects again by itself while Loupe runs. If it was started anew, open the new link that it printed.',
};
