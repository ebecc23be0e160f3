import type { GroupName } from '../state/conversations.svelte.ts';

const groups: Record<GroupName, string> = { pinned: 'Pinned', today: 'Today', yesterday: 'Yesterday', older: 'Older' };

export const sidebar = {
  name: 'Conversations',
  show: 'Show the conversations',
  hide: 'Hide the conversations',
  search: 'Search',
  searchName: 'Search all conversations',
  clearSearch: 'Clear the search',
  hits: (count: number, limit: number) => (count === 1 ? '1 hit' : count === limit ? `the ${count} best hits` : `${count} hits`),
  noHits: (query: string) => `Nothing contains “${query}”.`,
  noHitsStep: 'Fewer or other words may find it. Titles, questions and answers are searched.',
  newConversation: 'New conversation',
  group: groups,
  none: 'Your conversations will be listed here.',
  actions: (title: string) => `Actions for ${title}`,
  busy: 'being answered',
  rename: 'Rename',
  newTitle: 'New title',
  pin: 'Pin',
  unpin: 'Unpin',
  delete: 'Delete',
  deleted: (title: string) => `“${title}” was deleted.`,
  settings: 'Settings',
  help: 'Help and about',
  shortcuts: 'Keyboard shortcuts',
  about: 'About Loupe',
  privacy: 'Privacy',
};
