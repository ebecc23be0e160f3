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
  if (count === null) return 'Unknown number of conversations';
  return count === 1 ? '1 conversation' : `${count.toLocaleString('en')} conversations`;
}

export const storage = {
  // Backups
  backups: 'Backups',
  backupsHint:
    'Loupe makes and checks a backup once a day. It keeps those of the last three days, then one a week for four weeks. ' +
    'What you delete disappears from them after about a month of daily use. Pictures and documents are not copied; ' +
    'they stay where they are.',
  checking: 'Checking the backups…',
  none: 'There is no backup yet. Loupe makes the first one within a minute of starting, or when you close it.',
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
    `Your conversations will be as they were on ${time.format(at)}. Your current conversations are not deleted: ` +
    'they stay in the data folder, in a file whose name begins with “loupe-replaced”. Newer pictures and documents stay with it; ' +
    'Loupe removes them 30 days after you have deleted that file.',
  restoreConfirm: 'Restore',
  restoring: 'Restoring…',

  // When it cannot be opened
  closedTitle: 'Your conversations cannot be opened',
  closedStep: 'Restore the newest intact backup. Nothing is deleted: the damaged file is kept.',
  closedNoBackup: 'Without a backup you can start over. Nothing is deleted: the damaged file and your pictures are kept.',
  startAnew: 'Start over…',
  startAnewTitle: 'Start without your conversations?',
  startAnewMessage:
    'Loupe starts with an empty list. Your current conversations are not deleted: ' +
    'they stay in the data folder, in a file whose name begins with “loupe-replaced”. Their pictures and documents stay with it; ' +
    'Loupe removes them 30 days after you have deleted that file.',
  startAnewConfirm: 'Start over',
  openFolder: 'Open the data folder',

  // While it is open
  damageStep: 'Restore a backup. Until then Loupe makes no new one, so that the intact ones stay.',
  usableStep:
    'It can be read. If you know why it was changed, keep using it; otherwise restore a backup. ' +
    'Until you decide, Loupe makes no new backup.',
  showBackups: 'Show the backups',
  use: 'Keep using it',
  emptyBin: 'Erase deleted conversations',
  emptyBinTitle: 'Erase deleted conversations?',
  emptyBinMessage:
    'You will no longer be able to restore conversations that you deleted in the last 30 days. Their pictures are deleted too.',
  emptyBinConfirm: 'Erase',
  freed: (count: number) => (count > 0 ? `${bytes(count)} freed.` : 'There was nothing to delete.'),
};
