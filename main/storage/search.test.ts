import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseOutput, type SearchHit } from '../contract.ts';
import { addDocument } from '../services/documents/test/add-document.ts';
import type { Store } from '../services/ports.ts';
import { openStore } from './store.ts';

let folder: string;
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-search-'));
  store = openStore(folder);
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

function conversation(title: string, ...texts: string[]): number {
  const { id } = store.conversations.create(title);
  for (const text of texts)
    store.conversations.append({ conversationId: id, parentId: null, role: 'user', text, pictures: [], state: 'complete', model: null });
  return id;
}

/** "before [hit] after" */
function shown({ snippet }: SearchHit): string {
  return snippet.map(({ text, hit }) => (hit ? `[${text}]` : text)).join('');
}

function find(query: string, limit = 10): string[] {
  return parseOutput('conversations.search', store.conversations.search(query, limit)).map(shown);
}

test('words in any order, the last one unfinished, accents and case aside', () => {
  conversation('Kassenzettel', 'What was the total on the receipt?', 'Die Brücke über den Fluß');
  expect(find('receipt tot')).toEqual(['What was the [total] on the [receipt]?']);
  expect(find('rec tot')).toEqual([]);
  expect(find('BRUCKE')).toEqual(['Die [Brücke] über den Fluß']);
  expect(find('brücke u')).toEqual(['Die [Brücke] [über] den Fluß']);
  expect(find('u\u0308ber')).toEqual(['Die Brücke [über] den Fluß']);
  expect(find('kassen')).toEqual(['[Kassenzettel]']);
  expect(find('receipt nowhere')).toEqual([]);
});

test('titles before texts, neither without room for the other', () => {
  const ids = Array.from({ length: 6 }, (_, index) => conversation(`Invoice ${index}`, `This invoice has the number ${index}.`));
  const hits = store.conversations.search('invoice', 4);
  expect(hits.map(({ messageId }) => messageId === null)).toEqual([true, true, false, false]);
  expect(store.conversations.search('invoice 3', 10).map(({ conversationId }) => conversationId)).toEqual([ids[3], ids[3]]);
  expect(store.conversations.search('invoice', 20)).toHaveLength(12);
});

test('better matches first, the newest among equals', () => {
  conversation(
    'a',
    'The word lens stands in a long text about something else, with many other words around it that fill the message.',
    'lens',
    'lens',
  );
  expect(store.conversations.search('lens', 10).map(({ messageId }) => messageId)).toEqual([3, 2, 1]);
});

test('a snippet is cut around the hit and stays on one line', () => {
  conversation('Long', `${'before '.repeat(50)}\n\tneedle\n\n${'after '.repeat(50)}`);
  const [hit] = find('needle');
  expect(hit).toMatch(/^…(before )+\[needle\] (after ?)+…$/);
  expect(hit!.length).toBeLessThan(200);
});

test('names and phrases with signs in them', () => {
  conversation('Files', 'See main/app.ts for user_name and C++ (2024-01-02).');
  for (const query of ['app.ts', 'main/app', 'user_name', 'C++', '2024-01-02', '(2024', '"app.ts"'])
    expect(find(query), query).toHaveLength(1);
  expect(find('ts.app')).toEqual([]);
});

test('scripts without spaces are found by their characters', () => {
  conversation('发票 March', 'この請求書の合計金額はいくらですか', 'ราคารวมเท่าไร 100%', '100 percent USB充电器');
  expect(find('合計')).toEqual(['この請求書の[合計]金額はいくらですか']);
  expect(find('金額 請求')).toEqual(['この[請求]書の合計[金額]はいくらですか']);
  expect(find('票')).toEqual(['发[票] March']);
  expect(find('รวม 100%')).toEqual(['ราคา[รวม]เท่าไร [100%]']);
  expect(find('usb充电')).toEqual(['100 percent [USB充电]器']);
  conversation('Long', `${'長'.repeat(500)}鍵${'文'.repeat(500)}`);
  expect(find('鍵')[0]).toMatch(/^…長+\[鍵\]文+…$/);
});

test('words that are glued to a script without spaces', () => {
  conversation(
    '步2 计划',
    '步2 重跑gen-itgc后50条悬空引用清零，修复已验证',
    'oxygen and 水',
    '最新のUSBメモリとCafé店',
    '최신USB충전기를 샀다',
    'ราคาUSBใหม่',
    '用iPhone15拍的МОСКВА地铁',
  );
  expect(find('gen')).toEqual(['步2 重跑[gen]-itgc后50条悬空引用清零，修复已验证']);
  expect(find('GEN')).toHaveLength(1);
  expect(find('gen-itgc')).toEqual(['步2 重跑[gen-itgc]后50条悬空引用清零，修复已验证']);
  expect(find('itgc 50')).toEqual(['步2 重跑gen-[itgc]后[50]条悬空引用清零，修复已验证']);
  expect(find('2')).toEqual(['步[2] 计划', '步[2] 重跑gen-itgc后50条悬空引用清零，修复已验证']);
  expect(find('usb')).toEqual(['ราคา[USB]ใหม่', '최신[USB]충전기를 샀다', '最新の[USB]メモリとCafé店']);
  expect(find('caf\u00e9')).toEqual(['最新のUSBメモリと[Café]店']);
  expect(find('cafe\u0301')).toHaveLength(1);
  expect(find('москва iph')).toEqual(['用[iPh]one15拍的[МОСКВА]地铁']);
  // From their beginning, as everywhere; the last may be unfinished, the others not.
  expect([find('tgc'), find('hone'), find('iph москва'), find('ge itgc')]).toEqual([[], [], [], []]);
  // Beside words that are found by them, and each once.
  conversation('gen', 'the gen of 水 gen', 'a gen alone');
  expect(find('gen')).toEqual(['[gen]', 'the [gen] of 水 [gen]', 'a [gen] alone', '步2 重跑[gen]-itgc后50条悬空引用清零，修复已验证']);
});

test('Hangul, kana and Thai are found in the middle of what is written in one', () => {
  conversation('한국어', '대한민국에서 샀어요', 'デジタルカメラの値段', 'ใบเสร็จรับเงิน', '\u1112\u1161\u11ab\u1100\u1173\u11af in parts');
  expect(find('민국')).toEqual(['대한[민국]에서 샀어요']);
  expect(find('カメラ')).toEqual(['デジタル[カメラ]の値段']);
  expect(find('รับ')).toEqual(['ใบเสร็จ[รับ]เงิน']);
  // As files from macOS are named.
  expect(find('한글')).toEqual(['[\u1112\u1161\u11ab\u1100\u1173\u11af] in parts']);
});

test('emoji: alone, in sequences, with skin tones and as flags', () => {
  conversation(
    '🎉 Party',
    'We won 🎉🎉 today',
    'Well done 👍🏽',
    'Agreed 👍',
    'The 👩‍👩‍👧 came',
    'A 👩🏾‍🚀 flies',
    'I ❤️ it',
    'I ❤ it as text',
    'From 🇩🇪🇫🇷',
    'To 🇪🇫',
    'Press 1️⃣',
  );
  expect(find('🎉')).toEqual(['[🎉] Party', 'We won [🎉🎉] today']);
  expect(find('👍')).toEqual(['Agreed [👍]', 'Well done [👍🏽]']);
  expect(find('👍🏽')).toEqual(['Well done [👍🏽]']);
  expect(find('👧')).toEqual(['The [👩‍👩‍👧] came']);
  expect(find('👩')).toEqual(['A [👩🏾‍🚀] flies', 'The [👩‍👩‍👧] came']);
  expect(find('👩‍👩‍👧')).toEqual(['The [👩‍👩‍👧] came']);
  expect(find('❤️')).toEqual(['I [❤] it as text', 'I [❤️] it']);
  expect(find('❤')).toHaveLength(2);
  // Not the letters of two flags beside each other.
  expect([find('🇩🇪'), find('🇪🇫')]).toEqual([['From [🇩🇪]🇫🇷'], ['To [🇪🇫]']]);
  expect(find('1️⃣')).toEqual(['Press [1️⃣]']);
  expect(find('won 🎉')).toEqual(['We [won] [🎉🎉] today']);
  expect(find('🎉won')).toEqual([]);
  conversation('Glued', '🎉congratulations🎉');
  expect(find('congrat')).toEqual(['🎉[congratulations]🎉']);
  conversation('Long', `${'👩‍👩‍👧'.repeat(60)}🔑${'👩‍👩‍👧'.repeat(60)}`);
  // Cut between people, not within a family.
  expect(find('🔑')[0]).toMatch(/^…(👩‍👩‍👧)+\[🔑\](👩‍👩‍👧)+…$/u);
});

test('what was found glued follows what changes', () => {
  const id = conversation('Changes');
  const { id: answer } = store.conversations.append({
    conversationId: id,
    parentId: null,
    role: 'assistant',
    text: '',
    pictures: [],
    state: 'streaming',
    model: 'demo',
  });
  store.conversations.checkpoint(answer, '重跑gen');
  expect(find('gen')).toEqual([]);
  store.conversations.markInterrupted();
  expect(find('gen')).toEqual(['重跑[gen]']);
  store.conversations.update(answer, {
    text: 'only words',
    state: 'complete',
    failure: null,
    finish: null,
    model: 'demo',
    statistics: null,
  });
  expect(find('gen')).toEqual([]);
});

test.each([
  '',
  ' ',
  '"',
  '""',
  '"""',
  "'",
  "' or 1=1 --",
  '*',
  'a*',
  '* a',
  '^a',
  'a^2',
  '(',
  ')',
  '((',
  'AND',
  'OR',
  'NOT a',
  'a AND',
  'NEAR(a b)',
  'NEAR(',
  'text:a',
  '-a',
  '+a',
  'a:b',
  '{a b}: c',
  '\\',
  '%',
  '_',
  '\0',
  'a\0b',
  '\ud800',
  'a\udc00',
  '🎉',
  '👩‍👩‍👧',
  '\u202e',
  '?',
  '?1',
  ':query',
  '漢%',
  '漢\\',
  '漢_',
  '漢"',
  '漢(',
  '漢[',
  '漢\0',
  'x'.repeat(100_000),
  'a '.repeat(10_000),
  '漢 '.repeat(1000),
])('any input is safe: %j', (query) => {
  conversation('a text', 'a text that says 100% AND "quotes" (text: a)');
  expect(Array.isArray(store.conversations.search(query, 10))).toBe(true);
});

test('a text cannot pretend to be a hit', () => {
  conversation('Marks', 'a <b>bold</b> \u0001\u0002 [word] here');
  expect(store.conversations.search('here', 5)[0]!.snippet).toEqual([
    { text: 'a <b>bold</b> \u0001\u0002 [word] ', hit: false },
    { text: 'here', hit: true },
  ]);
});

test('the index follows what changes', () => {
  const id = conversation('Old name');
  const { id: answer } = store.conversations.append({
    conversationId: id,
    parentId: null,
    role: 'assistant',
    text: '',
    pictures: [],
    state: 'streaming',
    model: 'demo',
  });
  const end = (text: string, state: 'complete' | 'streaming') =>
    store.conversations.update(answer, { text, state, failure: null, finish: null, model: 'demo', statistics: null });
  store.conversations.rename(id, 'New name');
  expect([find('old'), find('new')]).toEqual([[], ['[New] name']]);
  store.conversations.checkpoint(answer, 'half');
  expect(find('half')).toEqual([]);
  end('half done', 'complete');
  expect(find('half')).toEqual(['[half] done']);
  end('half done', 'streaming');
  store.conversations.checkpoint(answer, 'half done and more');
  end('half done and more', 'complete');
  expect(find('more half')).toEqual(['[half] done and [more]']);
});

test('names of pictures and documents that people named, once a message, behind titles', () => {
  const bytes = new Uint8Array([1]);
  const add = (name: string, kind: 'file' | 'capture', content: string): string =>
    store.pictures.add({
      bytes: new TextEncoder().encode(content),
      name,
      width: 1,
      height: 1,
      origin: { kind },
      thumbnail: bytes,
      display: null,
    }).hash;
  const { id } = store.conversations.create('Rent');
  const ask = (text: string, pictures: string[]): number =>
    store.conversations.append({ conversationId: id, parentId: null, role: 'user', text, pictures, state: 'complete', model: null }).id;
  const message = ask('What does it say?', [add('lease_2024.png', 'file', 'a'), add('lease_annex.png', 'file', 'b')]);
  ask('And this?', [add('Screen capture', 'capture', 'c')]);
  const hits = (query: string): SearchHit[] => parseOutput('conversations.search', store.conversations.search(query, 10));
  expect(hits('lease')).toMatchObject([{ conversationId: id, messageId: message, inName: true, picture: null, title: 'Rent' }]);
  expect(find('2024.png')).toEqual(['lease_[2024.png]']);
  expect(find('lease anne')).toEqual(['[lease]_[anne]x.png']);
  // Loupe named it, and nobody looks for that.
  expect(find('capture')).toEqual([]);
  // In the text as well: the text says more.
  const both = ask('Is lease_2025 newer?', [add('lease_2025.png', 'file', 'd')]);
  expect(hits('lease_2025').filter(({ messageId }) => messageId === both)).toMatchObject([{ inName: false }]);
  conversation('Lease');
  expect(hits('lease').map(({ messageId, inName }) => [messageId === null, inName])[0]).toEqual([true, false]);
});

test('a tag is found by its words, beside a title that has them', () => {
  const { id } = store.conversations.create('Letter to the office');
  const other = store.conversations.create('Tax return').id;
  store.conversations.tag([id, other], ['Income tax', '東京'], []);
  const hits = parseOutput('conversations.search', store.conversations.search('tax', 10));
  expect(hits.map(({ conversationId, messageId, inName }) => [conversationId, messageId, inName])).toEqual([
    [other, null, false],
    [other, null, true],
    [id, null, true],
  ]);
  expect(find('income')).toEqual(['[Income] tax, 東京', '[Income] tax, 東京']);
  expect(find('東京')).toEqual(['Income tax, [東京]', 'Income tax, [東京]']);
  store.conversations.tag([other], [], ['Income tax']);
  expect(find('income')).toEqual(['[Income] tax, 東京']);
  store.conversations.delete(id);
  expect(find('income')).toEqual([]);
});

test('the document that a question is about is found by its name', () => {
  const document = addDocument(store, 'tenancy agreement.pdf', ['When the lease ends']);
  const { id } = store.conversations.create('Home');
  const { id: message } = store.conversations.append({
    conversationId: id,
    parentId: null,
    role: 'user',
    text: 'When can I leave?',
    pictures: [],
    state: 'complete',
    model: null,
    scope: { kind: 'document', id: document, pages: null },
  });
  expect(store.conversations.search('agreement', 10)).toMatchObject([{ conversationId: id, messageId: message, inName: true }]);
  expect(find('tenancy pdf')).toEqual(['[tenancy] agreement.[pdf]']);
});
