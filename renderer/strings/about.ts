import type { ShortcutName } from '../state/shortcuts.ts';

export const about = {
  title: 'About Loupe',
  version: (version: string) => `Loupe ${version}`,
  what:
    'A private desktop assistant that looks at your screen and your documents and answers questions about them. ' +
    'Everything runs on this machine.',
  builtWith: 'Built with Llama',
  llama:
    'Llama 3.2 is licensed under the Llama 3.2 Community License, Copyright © Meta Platforms, Inc. All Rights Reserved. ' +
    'Loupe ships with none of Meta’s weights; the demo model was trained from scratch. ' +
    'English is the only language that Llama 3.2 officially supports with pictures.',
  licences: 'Licences',
  noLicences: 'The licences could not be read.',
};

export const shortcutSheet = {
  title: 'Keyboard shortcuts',
  groups: { anywhere: 'Anywhere', list: 'In the list', question: 'In the question', document: 'In a document', capture: 'While capturing' },
  names: {
    newConversation: 'New conversation',
    newPrivate: 'New private conversation',
    search: 'Search',
    previousConversation: 'Conversation above',
    nextConversation: 'Conversation below',
    rename: 'Rename the conversation',
    delete: 'Delete the conversation',
    deleteOpen: 'Delete the open conversation',
    capture: 'Capture the screen',
    attach: 'Attach pictures',
    compose: 'Compose pictures into one',
    editLast: 'Edit your last question, when the field is empty',
    stop: 'Stop the answer',
    inspector: 'What the model sees',
    copyText: 'Copy the text of the picture',
    export: 'Export the conversation',
    documents: 'Documents',
    lock: 'Lock Loupe',
    settings: 'Settings',
    shortcuts: 'This list',
    nextPage: 'Next page',
    previousPage: 'Previous page',
    firstPage: 'First page',
    lastPage: 'Last page',
    goToPage: 'Go to a page',
    find: 'Find in the conversation, or in the document',
    nextHit: 'Next hit',
    nextCitation: 'Next citation of the answer, or its next words in the picture',
    previousCitation: 'Previous citation of the answer, or its words before',
    previousHit: 'Previous hit',
    zoomIn: 'Zoom in',
    zoomOut: 'Zoom out',
    fitPage: 'Fit the width',
    rotatePages: 'Rotate the pages',
    thumbnails: 'Small pages at the side',
    copyPage: 'Copy the text of the page, when nothing is selected',
    askAboutPage: 'Ask about the page',
  } satisfies Record<ShortcutName, string>,
  send: 'Ask',
  newLine: 'New line',
};
