/** Encryption of what is kept, and its lock. */
import { shortestPassphrase } from '../../main/contract.ts';

export const vault = {
  // In the settings
  title: 'Encryption',
  off: 'Not encrypted',
  offHint:
    'Whoever gets this disk can read your conversations, pictures and documents, unless the disk is encrypted. ' +
    'Loupe can encrypt all of it, with its backups.',
  byPassphrase: 'Encrypted with your passphrase',
  byPassphraseHint: 'Loupe asks for it when it starts, and after it was locked.',
  byKeychain: 'Encrypted; the system’s keychain keeps the key',
  byKeychainHint: 'Loupe opens by itself once you have logged in. It cannot be locked: for that, choose a passphrase.',
  impossible: 'This build of Loupe cannot encrypt: its database was built without it.',
  turnOn: 'Encrypt…',
  turnOff: 'Decrypt…',
  change: 'Change passphrase…',
  lock: 'Lock now',
  lockMinutes: 'Lock after',
  lockMinutesHint: 'When nobody has used Loupe for this long. An answer that is being written is finished first.',
  lockTimes: { 0: 'Never', 5: '5 minutes', 15: '15 minutes', 60: '1 hour' } as Record<number, string>,
  lockWithScreen: 'Lock with the screen',
  lockWithScreenHint: 'Also when the computer goes to sleep.',

  // Asking for it
  onTitle: 'Encrypt what Loupe keeps',
  onMessage:
    'Conversations, pictures, documents, settings and backups are encrypted on this disk. Models are not. ' +
    'Loupe is busy meanwhile; if it is interrupted, it goes on the next time.',
  onConfirm: 'Encrypt',
  changeTitle: 'Change the passphrase',
  changeMessage: 'The old passphrase and the old recovery code will no longer open anything.',
  changeConfirm: 'Change',
  offTitle: 'Decrypt what Loupe keeps?',
  offMessage: 'Everything is written to the disk in plain form again, and can be read by whoever gets it.',
  offConfirm: 'Decrypt',
  how: 'Opened by',
  ways: { passphrase: 'A passphrase', keychain: 'The keychain' },
  wayHints: {
    passphrase: 'Loupe can be locked, also while the computer is in use.',
    keychain: 'Protects a lost disk, and asks for nothing.',
  },
  passphrase: 'New passphrase',
  passphraseHint: `At least ${shortestPassphrase} characters. Several words that do not belong together are easy to remember and hard to guess.`,
  again: 'Repeat the passphrase',
  tooShort: `At least ${shortestPassphrase} characters.`,
  notSame: 'The two passphrases do not match.',
  current: 'Passphrase or recovery code',
  code: 'Recovery code',
  codeHint: 'It opens everything if you forget the passphrase or lose the keychain. Without both, nothing can be recovered by anyone.',
  copyCode: 'Copy the recovery code',
  saveCode: 'Save as a file',
  codeFile: 'loupe-recovery-code.txt',
  codeText: (code: string) => `Recovery code of Loupe: ${code}\nKeep it where nobody else finds it, and not on the same disk.\n`,
  codeKept: 'I have kept the recovery code somewhere else',

  // Locked
  lockedTitle: 'Loupe is locked',
  lockedHint: 'Your conversations, pictures and documents are encrypted.',
  unlock: 'Unlock',
  unlocking: 'Unlocking…',
  forgotten: 'Forgotten?',
  forgottenHint:
    'Enter the recovery code in place of the passphrase. If you have neither, nobody can open what is here, not even Loupe’s makers.',
  workingTitle: 'One moment',
  working: 'Your data is being encrypted or decrypted. You can close this window; Loupe goes on.',
  steps: (done: number, all: number) => `${done.toLocaleString('en')} of ${all.toLocaleString('en')}`,
};
