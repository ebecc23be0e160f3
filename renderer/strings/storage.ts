/** What is kept, what is wrong with it, and the way back. */
import type { BackupChoice } from '../../main/contract.ts';
import { bytes } from '../format.ts';

const time = new Intl.DateTimeFormat('en', {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});

function conversations(count: number | null): string {
  if (count === null) return 'Conversations unknown';
  return count === 1 ? '1 conversation' : `${count.toLocaleString('en')} conversations`;
}

export const storage = {
  // Backups
  backups: 'Backups',
  backupsHint:
    'Made once a day and checked: the last three days, then one a week for four weeks. What you delete is gone from them after about a month of daily use. Pictures are not copied; they stay where they are.',
  checking: 'Checking the backups…',
  none: 'There is no backup yet. The first is made within a minute of the start, or when Loupe is closed.',
  noneLeft: 'There is no backup.',
  at: (at: number) => time.format(at),
  about: ({ conversations: count, bytes: size, reason }: BackupChoice) =>
    [conversations(count), bytes(size), reason === 'update' ? 'made before an update' : ''].filter(Boolean).join(' · '),
  newest: 'Newest',
  unusable: { damaged: 'Damaged: it cannot be restored.', newer: 'Made by a newer version of Loupe: install that one to restore it.' },
  restore: 'Restore…',
  restoreOf: (at: number) => `Restore the backup of ${time.format(at)}`,
  restoreTitle: 'Restore this backup?',
  restoreMessage: (at: number) =>
    `Conversations go back to what they were on ${time.format(at)}. What is there now is not deleted: it is kept in the data folder, in a file whose name begins with “loupe-replaced”.`,
  restoreConfirm: 'Restore',
  restoring: 'Restoring…',

  // When it cannot be opened
  closedTitle: 'Your conversations cannot be opened',
  closedStep: 'Restore the newest sound backup. Nothing is deleted: what is there now is kept aside.',
  closedNoBackup: 'Without a backup you can begin anew. Nothing is deleted: what is there now is kept aside, and so are your pictures.',
  startAnew: 'Begin anew…',
  startAnewTitle: 'Begin without your conversations?',
  startAnewMessage:
    'Loupe begins with an empty list. What is there now is not deleted: it is kept in the data folder, in a file whose name begins with “loupe-replaced”.',
  startAnewConfirm: 'Begin anew',
  openFolder: 'Open the data folder',

  // While it is open
  damageStep: 'Restore a backup. Until then no new backup is made, so that the sound ones stay.',
  usableStep:
    'It can be read. If you know why it was changed, keep using it; else restore a backup. Until you decide, no new backup is made.',
  showBackups: 'Show the backups',
  use: 'Keep using it',
  emptyBin: 'Delete for good what was deleted',
  emptyBinTitle: 'Delete for good what was deleted?',
  emptyBinMessage: 'Conversations that you deleted in the last 30 days can no longer be brought back. Their pictures are deleted, too.',
  emptyBinConfirm: 'Delete for good',
  freed: (count: number) => (count > 0 ? `${bytes(count)} are free again.` : 'There was nothing left to delete.'),
};
