import { expect, test, vi } from 'vitest';
import { fileNameOf, type Conversation, type Message } from '../contract.ts';
import { exportConversation } from './export.ts';

const picture = { hash: 'a'.repeat(64), name: 'receipt_[1].png', width: 800, height: 600, bytes: 1234, origin: { kind: 'paste' as const } };

function message(id: number, parentId: number | null, role: Message['role'], text: string, more: Partial<Message> = {}): Message {
  return {
    id,
    conversationId: 7,
    parentId,
    role,
    text,
    pictures: [],
    state: 'complete',
    failure: null,
    finish: null,
    model: role === 'user' ? null : 'Demo model',
    statistics: null,
    judgement: null,
    scope: null,
    coverage: null,
    citations: [],
    differences: [],
    createdAt: 1000 + id,
    ...more,
  };
}

const conversation: Conversation = {
  id: 7,
  title: 'A *receipt*',
  pinned: false,
  createdAt: new Date(2025, 0, 2, 23, 59).getTime(),
  updatedAt: Date.UTC(2025, 0, 3),
  messageCount: 5,
  picture: picture.hash,
  busy: true,
  leafId: 5,
  pinnedPicture: picture,
  checks: [],
  draft: { text: 'unsent', pictures: [] },
  messages: [
    message(1, null, 'user', 'What was the total?', { pictures: [picture] }),
    message(2, 1, 'assistant', 'Wrong.'),
    message(3, 1, 'assistant', '12 **euros**.\n\n- paid in cash\n'),
    message(4, 3, 'user', 'When?'),
    message(5, 4, 'assistant', '', {
      state: 'failed',
      failure: { ok: false, code: 'device_lost', message: 'The GPU stopped.', nextStep: 'Try again.' },
    }),
  ],
};

test('instructions stand before the first question', () => {
  const { text } = exportConversation({ ...conversation, instructions: 'Answer in *French*.' }, 'markdown');
  expect(text).toContain('*Begun on 2025-01-02.*\n\n*Instructions for this conversation:*\n\nAnswer in \\*French\\*.\n\n## Question');
  expect(JSON.parse(exportConversation({ ...conversation, instructions: 'a' }, 'json').text)).toHaveProperty('instructions', 'a');
});

test('tags stand below the day', () => {
  const { text } = exportConversation({ ...conversation, tags: ['Taxes', 'a*b'] }, 'markdown');
  expect(text).toContain('*Begun on 2025-01-02.*\n\n*Tags: Taxes, a\\*b*\n\n## Question');
  expect(JSON.parse(exportConversation({ ...conversation, tags: ['Taxes'] }, 'json').text)).toHaveProperty('tags', ['Taxes']);
});

test('Markdown: the branch that is shown', () => {
  expect(exportConversation(conversation, 'markdown')).toEqual({
    fileName: 'A receipt.md',
    text: `# A \\*receipt\\*

*Begun on 2025-01-02.*

## Question

*Picture: receipt\\_\\[1\\].png, 800 x 600 pixels*

What was the total?

## Answer (Demo model)

12 **euros**.

- paid in cash

## Question

When?

## Answer (Demo model)

*Failed: The GPU stopped.*

---

*One message of other branches left out; the JSON export has them.*
`,
  });
  expect(exportConversation({ ...conversation, messages: [], leafId: null }, 'markdown').text).toBe(
    '# A \\*receipt\\*\n\n*Begun on 2025-01-02.*\n',
  );
  const stopped = { ...conversation, messages: [message(1, null, 'assistant', 'Half', { state: 'stopped' })], leafId: 1 };
  expect(exportConversation(stopped, 'markdown').text).toContain('Half\n\n*Stopped.*\n');
});

test('Markdown: messages, a title, a model and a picture that are written as nobody should', () => {
  const evil: Conversation = {
    ...conversation,
    title: 'A\n# title <!-- of [two](x) lines\u2028',
    messages: [
      message(1, null, 'user', 'Why does this fail?\n```python\nprint("pasted without a closing fence")', {
        pictures: [{ ...picture, name: 'a](b) (c)\n# d <img>.png' }],
      }),
      message(2, 1, 'assistant', '# Because\n\n<details>\n\n```\nopen', { model: 'm\n## n' }),
      message(3, 2, 'user', '# Not a heading of mine\n<details><summary>x</summary>\nsecond question'),
      message(4, 3, 'assistant', 'See [1].\n\n[1]: https://a.example', { state: 'stopped' }),
    ],
    leafId: 4,
  };
  expect(exportConversation(evil, 'markdown').text).toBe(`# A \\# title \\<!-- of \\[two\\](x) lines

*Begun on 2025-01-02.*

## Question

*Picture: a\\](b) (c) \\# d \\<img\\>.png, 800 x 600 pixels*

\`\`\`\`
Why does this fail?
\`\`\`python
print("pasted without a closing fence")
\`\`\`\`

## Answer (m \\#\\# n)

### Because

\\<details>

\`\`\`
open
\`\`\`

## Question

\\# Not a heading of mine${'  '}
\\<details>\\<summary>x\\</summary>${'  '}
second question

## Answer (Demo model)

See [1](<https://a.example>).

*Stopped.*
`);
});

test.each(['America/New_York', 'UTC', 'Asia/Tokyo', 'Pacific/Kiritimati'])('the day is the one of the place: %s', (zone) => {
  vi.stubEnv('TZ', zone);
  for (const hour of [0, 12, 23]) {
    const createdAt = new Date(2026, 2, 8, hour, 30).getTime();
    expect(exportConversation({ ...conversation, createdAt }, 'markdown').text).toContain('*Begun on 2026-03-08.*');
  }
  vi.unstubAllEnvs();
});

test('JSON: any text comes back as it was', () => {
  const text = 'half \ud83d, lines \u2028\u2029, zero \0, mark \ufeff, pair 😀, quotes "\'\\';
  const written = Buffer.from(
    exportConversation({ ...conversation, messages: [message(1, null, 'user', text)], leafId: 1 }, 'json').text,
    'utf8',
  ).toString('utf8');
  expect((JSON.parse(written) as { messages: { text: string }[] }).messages[0]!.text).toBe(text);
});

test('JSON: the whole tree, as documented', () => {
  const { fileName, text } = exportConversation(conversation, 'json');
  expect(fileName).toBe('A receipt.json');
  const document = JSON.parse(text) as Record<string, unknown> & { messages: Record<string, unknown>[] };
  expect(Object.keys(document).sort()).toEqual([
    'createdAt',
    'format',
    'leafId',
    'messages',
    'pinned',
    'pinnedPicture',
    'title',
    'updatedAt',
    'version',
  ]);
  expect(document).toMatchObject({
    format: 'loupe-conversation',
    version: 1,
    title: 'A *receipt*',
    leafId: 5,
    pinnedPicture: picture.hash,
  });
  expect(document.messages.map(({ id, parentId }) => [id, parentId])).toEqual([
    [1, null],
    [2, 1],
    [3, 1],
    [4, 3],
    [5, 4],
  ]);
  expect(Object.keys(document.messages[0]!).sort()).toEqual([
    'citations',
    'coverage',
    'createdAt',
    'differences',
    'failure',
    'finish',
    'id',
    'judgement',
    'model',
    'parentId',
    'pictures',
    'role',
    'scope',
    'state',
    'statistics',
    'text',
  ]);
  expect(document.messages[0]!['pictures']).toEqual([picture]);
});

test.each([
  ['Plain title', 'Plain title'],
  ['6/20/2023', '6 20 2023'],
  ['Title/Title', 'Title Title'],
  ['💾 example', '💾 example'],
  ['Синонимы для каталога', 'Синонимы для каталога'],
  ['a/b\\c:d*e?f"g<h>i|j', 'a b c d e f g h i j'],
  ['  .hidden.  ', 'hidden'],
  ['line\nbreak\ttab\0nul', 'line break tab nul'],
  ['..', 'Conversation'],
  ['', 'Conversation'],
  ['???', 'Conversation'],
  ['CON', 'Conversation CON'],
  ['nul.txt', 'Conversation nul.txt'],
  ['com¹', 'Conversation com¹'],
  ['console', 'console'],
  ['u\u0308ber', 'über'],
  ['exe\u202egpj.md', 'exe gpj.md'],
  ['lone \ud800 half', 'lone half'],
  ['家族 👩‍👩‍👧', '家族 👩‍👩‍👧'],
])('the file name of %j', (title, name) => {
  expect(fileNameOf(title)).toBe(name);
});

test('where an answer differs from the text of its picture, both are told', () => {
  const differences = [
    { offset: 0, length: 5, answer: '1,208', picture: '1,280*' },
    { offset: 9, length: 4, answer: '7200', picture: null },
  ];
  const told = { ...conversation, messages: conversation.messages.map((each) => (each.role === 'user' ? each : { ...each, differences })) };
  const { text } = exportConversation(told, 'markdown');
  expect(text).toContain(
    '\n\n- The picture’s text says 1,280\\*; the answer says 1,208.\n- The answer says 7200; the picture’s text does not have it.\n',
  );
  expect(exportConversation(told, 'json').text).toContain('"picture": "1,280*"');
});

test('a long title is cut between characters', () => {
  expect(fileNameOf('x'.repeat(500))).toBe('x'.repeat(120));
  expect(fileNameOf('é'.repeat(500))).toBe('é'.repeat(60));
  const family = '👩‍👩‍👧';
  expect(fileNameOf(family.repeat(100))).toBe(family.repeat(6));
  expect(fileNameOf(`${'x'.repeat(119)} y`)).toBe('x'.repeat(119));
});
