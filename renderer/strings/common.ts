export const common = {
  appName: 'Loupe',
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

export const failures = {
  noReply: (name: string) => `The app gave no usable answer to ${name}.`,
  versions: 'The window and the app have different versions. Close Loupe and start it again.',
  report: 'This is a bug in Loupe. Please report it with this message.',
  disconnected: 'The connection to Loupe was lost.',
  reconnecting: 'This page reconnects by itself while Loupe runs. If it was restarted, open the new link it printed.',
};
