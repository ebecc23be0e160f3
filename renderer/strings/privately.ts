/** Conversations that are not kept. */
export const privately = {
  new: 'New private conversation',
  /** `server`: the one that is asked, which Loupe cannot speak for. */
  marked: (server: string | null) =>
    server === null ? 'Not kept: gone when you close it.' : `Not kept here: gone when you close it. ${server} may keep what you ask.`,
  keep: 'Keep this conversation',
  keepShort: 'Keep',
  close: 'Close',
  kept: (title: string) => `“${title}” is kept from now on.`,
  emptyTitle: 'A private conversation',
  emptyWays: (server: string | null) =>
    'What you ask here, the answers and the pictures stay in Loupe’s memory and are never written to a disk of this computer. They are gone when you close the conversation or Loupe.' +
    (server === null ? '' : ` What you ask goes to ${server}, which may keep it.`),
  wayAttach: 'Choose a picture',
  placeholder: 'Ask; nothing is kept',
  closeTitle: (title: string) => `Close “${title}”?`,
  closeMessage: 'Nothing was kept: its questions, answers and pictures will be gone for good.',
  closeConfirm: 'Close it',
  closeCancel: 'Leave it open',
  noDocuments: 'A private conversation takes no documents: the library would keep them.',
};
