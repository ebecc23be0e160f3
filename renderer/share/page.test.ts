import { expect, test } from 'vitest';
import type { Conversation, Message } from '../../main/contract.ts';
import { hostileAnswer } from '../markdown/test/hostile.ts';
import type { Drawing } from './blocks.ts';
import { sharedArticle, sharedBlock, sharedPage } from './page.ts';
import { shareStyle } from './style.ts';
import { h, toMarkup } from './tree.ts';

const drawing: Drawing = { formula: () => null, colours: (code) => (code.length > 3 ? [{ kind: 'keyword', from: 1, to: 3 }] : []) };
const picture = { hash: 'a'.repeat(64), name: 'lens".png', width: 800, height: 600, bytes: 1234, origin: { kind: 'paste' as const } };

function message(id: number, role: Message['role'], text: string, more: Partial<Message> = {}): Message {
  return {
    ...{ id, conversationId: 7, parentId: id === 1 ? null : id - 1, role, text, pictures: [], state: 'complete', failure: null },
    ...{ finish: null, model: role === 'user' ? null : 'Demo', statistics: null, judgement: null, scope: null, coverage: null },
    ...{ citations: [], differences: [], createdAt: 1000, ...more },
  };
}

function conversation(...messages: Message[]): Conversation {
  return {
    ...{ id: 7, title: 'A <b>title</b>', pinned: false, createdAt: new Date(2025, 0, 2, 23, 59).getTime(), updatedAt: 0, messageCount: 2 },
    ...{ picture: null, busy: false, leafId: messages.at(-1)?.id ?? null, pinnedPicture: null, checks: [] },
    ...{ draft: { text: 'unsent', pictures: [] }, messages },
  };
}

/** Every tag of it; throws where one is not closed in its turn, or a sign stands where no text can have it. */
function tagsOf(markup: string): { name: string; attributes: Record<string, string> }[] {
  const open: string[] = [];
  const tags = [];
  for (const [whole, end, name, given, alone] of markup.matchAll(/<(\/?)([a-zA-Z][a-zA-Z0-9]*)((?: [a-zA-Z-]+="[^"<>]*")*)( \/)?>|[<>]/g)) {
    if (name === undefined) throw new Error(`A bare ${whole}`);
    if (end) expect(open.pop()).toBe(name);
    else {
      const attributes = [...given!.matchAll(/ ([a-zA-Z-]+)="([^"]*)"/g)].map(([, key, value]) => [key!, value!]);
      tags.push({ name, attributes: Object.fromEntries(attributes) as Record<string, string> });
      if (!alone) open.push(name);
    }
  }
  expect(open).toEqual([]);
  return tags;
}

const elements = new Set([
  ...[
    'html',
    'head',
    'meta',
    'title',
    'style',
    'body',
    'main',
    'article',
    'section',
    'h1',
    'h2',
    'h3',
    'h4',
    'h5',
    'h6',
    'p',
    'time',
    'figure',
  ],
  ...['figcaption', 'img', 'footer', 'ul', 'ol', 'li', 'div', 'span', 'a', 'br', 'hr', 'strong', 'em', 'del', 'code', 'pre', 'blockquote'],
  ...['table', 'thead', 'tbody', 'tr', 'th', 'td'],
]);

function check(page: string): void {
  expect(page.startsWith('<!doctype html>\n')).toBe(true);
  for (const { name, attributes } of tagsOf(page.slice('<!doctype html>\n'.length))) {
    expect(elements).toContain(name);
    for (const [attribute, value] of Object.entries(attributes)) {
      expect(attribute).not.toMatch(/^on/);
      // Nothing is fetched: pictures are in the file, and links wait for a click.
      if (attribute === 'src') expect(value).toMatch(/^data:image\//);
      if (attribute === 'href') expect([name, value]).toEqual(['a', expect.stringMatching(/^(?:https?|mailto):/)]);
      if (attribute === 'style') expect(value).toMatch(/^(?:text-align:(?:left|right|center)|color-scheme:(?:light|dark))$/);
    }
  }
}

test('what a person and a model write stays text', () => {
  const page = sharedPage(
    conversation(
      message(1, 'user', '</p><script>alert(1)</script>', { pictures: [picture] }),
      message(
        2,
        'assistant',
        '# Yes <img src=x onerror=alert(1)>\n\n```html\n</code><script>\n```\n\n[a](javascript:alert(1)) ![p](https://a.example/p.png)',
        {
          model: '"><i>',
        },
      ),
    ),
    new Map([[picture.hash, 'data:image/webp;base64,AAAA']]),
    drawing,
  );
  check(page);
  expect(page).toContain('<title>A &lt;b&gt;title&lt;/b&gt;</title>');
  expect(page).toContain('<p class="typed" dir="auto">&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;</p>');
  expect(page).toContain('<h2 dir="auto">Answer · "&gt;&lt;i&gt;</h2>');
  expect(page).toContain('<h3>Yes &lt;img src=x onerror=alert(1)&gt;</h3>');
  expect(page).toContain('<pre dir="ltr"><code>&lt;<span class="is-keyword">/c</span>ode&gt;&lt;script&gt;</code></pre>');
  expect(page).toContain('[a](javascript:alert(1)) Picture: p');
  expect(page).toContain('alt="lens&quot;.png, 800 × 600 pixels"');
  expect(page).not.toContain('unsent');
});

test('however broken a text is: well-formed, of known elements, and nothing that is fetched', () => {
  for (let number = 0; number < 400; number++) {
    const text = hostileAnswer(number);
    check(sharedPage(conversation(message(1, 'user', text), message(2, 'assistant', text)), new Map(), drawing));
  }
  check(sharedPage(conversation(message(1, 'user', 'a\0b\x1b\ud800\uffff')), new Map(), drawing));
});

test('the branch that is shown, what became of answers, and a picture that is gone', () => {
  const failure = { ok: false as const, code: 'device_lost', message: 'The GPU stopped.', nextStep: 'Try again.' };
  const page = sharedPage(
    {
      ...conversation(
        message(1, 'user', 'Which lens?', { pictures: [picture] }),
        message(2, 'assistant', 'Another branch', { parentId: 1 }),
        message(3, 'assistant', 'A *wide* one', {
          parentId: 1,
          state: 'stopped',
          server: { id: 1, name: 'Box', host: 'box:8000', here: false } as never,
        }),
        message(4, 'user', 'Sure?'),
        message(5, 'assistant', '', { state: 'failed', failure }),
      ),
      instructions: 'Answer in *French*.',
    },
    new Map([[picture.hash, null]]),
    drawing,
  );
  check(page);
  for (const words of [
    'January 2, 2025',
    '<p class="typed">Answer in *French*.</p>',
    'lens".png: this picture could not be included.',
    'A <em>wide</em> one',
    'Stopped.',
    'Left this computer: sent to Box (box:8000)',
    'Failed: The GPU stopped.',
    'One message of another branch is left out.',
  ])
    expect(page).toContain(words);
  expect(page).not.toContain('Another branch');
});

test('the style can stand between its tags in HTML and in XML, and names no address', () => {
  expect(shareStyle).not.toMatch(/[<>&]|url|@import|@font-face/);
});

test('as a picture: in one theme, and well-formed on its own', () => {
  const block = sharedBlock(sharedArticle(conversation(message(1, 'user', 'a & b')), new Map(), drawing), 'dark');
  expect(toMarkup(block)).toMatch(
    /^<div xmlns="http:\/\/www.w3.org\/1999\/xhtml" class="page still" style="color-scheme:dark"><article><h1/,
  );
});

test('an element has a name that is one', () => {
  expect(() => h('a b')).toThrow('No markup: a b');
  expect(() => h('a', { 'b"': '' })).toThrow();
});
