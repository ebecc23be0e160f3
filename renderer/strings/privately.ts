/** Conversations that are not kept. */
export const privately = {
  new: 'New private conversation',
  marked: 'Not kept: gone when you close it.',
  keep: 'Keep this conversation',
  keepShort: 'Keep',
  close: 'Close',
  kept: (title: string) => `“${title}” is kept from now on.`,
  emptyTitle: 'A private conversation',
  emptyWays:
    'What you ask here, the answers and the pictures stay in Loupe’s memory and are written to no disk. They are gone when you close the conversation, and when Loupe ends.',
  wayAttach: 'Choose a picture',
  placeholder: 'Ask; nothing of it is kept',
  closeTitle: (title: string) => `Close “${title}”?`,
  closeMessage: 'Nothing of it was kept. Its questions, answers and pictures are gone for good.',
  closeConfirm: 'Close it',
  closeCancel: 'Leave it open',
  noDocuments: 'A private conversation takes no documents: the library would keep them.',
};
