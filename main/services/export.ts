/** A conversation as a document: Markdown to read, JSON with everything (docs/export.md). */
import {
  answeredByInWords,
  citationInWords,
  coverageInWords,
  differenceInWords,
  fileNameOf,
  scopeInWords,
  shownMessages,
  type Conversation,
  type Message,
  type Picture,
} from '../contract.ts';
import { answerSection, oneLine, questionSection } from './export-markdown.ts';

/** Raised when a reader of the JSON would have to change. */
export const exportVersion = 1;

/** `text` ends with a newline; `fileName` is one that every file system takes. */
export function exportConversation(conversation: Conversation, format: 'markdown' | 'json'): { fileName: string; text: string } {
  const name = fileNameOf(conversation.title);
  return format === 'markdown'
    ? { fileName: `${name}.md`, text: toMarkdown(conversation) }
    : { fileName: `${name}.json`, text: `${JSON.stringify(toDocument(conversation), null, 2)}\n` };
}

/** The branch that is shown. */
function toMarkdown({ title, createdAt, instructions, tags = [], messages, leafId }: Conversation): string {
  const branch = shownMessages({ messages, leafId });
  const others = messages.length - branch.length;
  const blocks = [
    `# ${oneLine(title)}`,
    `*Begun on ${localDate(createdAt)}.*`,
    ...(tags.length === 0 ? [] : [`*Tags: ${tags.map(oneLine).join(', ')}*`]),
    ...(instructions === undefined ? [] : ['*Instructions for this conversation:*', questionSection(instructions)]),
    ...branch.flatMap(messageBlocks),
    ...(others > 0
      ? ['---', `*${others === 1 ? 'One message' : `${others} messages`} of other branches left out; the JSON export has them.*`]
      : []),
  ];
  return `${blocks.join('\n\n')}\n`;
}

/** Of the calendar on the wall: late in the evening the date in Greenwich is another. */
function localDate(ms: number): string {
  const date = new Date(ms);
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((number) => String(number).padStart(2, '0')).join('-');
}

function messageBlocks(message: Message): string[] {
  const { role, text, pictures, state, failure, model, scope, server } = message;
  const heading = role === 'user' ? '## Question' : `## Answer${model === null ? '' : ` (${oneLine(model)})`}`;
  const note = failure ? `Failed: ${oneLine(failure.message)}` : stateNotes[state];
  const words = role === 'user' ? questionSection(text) : answerSection(text);
  return [
    heading,
    ...(scope ? [`*About ${oneLine(scopeInWords(scope))}*`] : []),
    ...(server ? [`*${oneLine(answeredByInWords(server))}*`] : []),
    ...pictures.map(pictureLine),
    ...(words === '' ? [] : [words]),
    ...(note ? [`*${note}*`] : []),
    ...sourceBlocks(message),
    ...(message.differences.length > 0
      ? [message.differences.map((difference) => `- ${oneLine(differenceInWords(difference))}`).join('\n')]
      : []),
  ];
}

/** Of an answer from documents: its citations, checked, and what was looked at. */
function sourceBlocks({ coverage, citations }: Message): string[] {
  if (!coverage) return [];
  const lines = citations.map((citation) => `- ${oneLine(citationInWords(citation, coverage.documents > 1))}`);
  const searched = coverage.words.length > 0 ? ` Searched for: ${coverage.words.join(', ')}.` : '';
  return [...(lines.length > 0 ? [lines.join('\n')] : []), `*${oneLine(coverageInWords(coverage) + searched)}*`];
}

const stateNotes: Record<Message['state'], string | null> = {
  complete: null,
  streaming: 'Still being written.',
  interrupted: 'Interrupted.',
  stopped: 'Stopped.',
  failed: 'Failed.',
};

function pictureLine({ name, width, height }: Picture): string {
  return `*Picture: ${oneLine(name)}, ${width} x ${height} pixels*`;
}

function toDocument({
  id: _id,
  busy: _busy,
  draft: _draft,
  checks: _checks,
  picture: _picture,
  messageCount: _count,
  pinnedPicture,
  messages,
  ...conversation
}: Conversation) {
  return {
    format: 'loupe-conversation',
    version: exportVersion,
    ...conversation,
    pinnedPicture: pinnedPicture?.hash ?? null,
    // Which model was asked is a path on this computer; its name is there.
    messages: messages.map(({ conversationId: _conversationId, compared, ...message }) => ({
      ...message,
      ...(compared !== undefined && { compared: true }),
    })),
  };
}
