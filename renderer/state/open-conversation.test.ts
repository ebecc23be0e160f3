import { expect, test } from 'vitest';
import type { Message } from '../../main/contract.ts';
import { conversation, createFakeClient, message, picture } from './fake-client.ts';
import { OpenConversation } from './open-conversation.svelte.ts';

/** Frames that are drawn when the test says so. */
function frames() {
  const waiting: (() => void)[] = [];
  return {
    schedule: (run: () => void) => void waiting.push(run),
    draw: () => waiting.splice(0).forEach((run) => run()),
    get count() {
      return waiting.length;
    },
  };
}

const piece = (offset: number, text: string, messageId = 2) => ({ messageId, conversationId: 1, offset, text });
const ids = (messages: readonly Message[]) => messages.map(({ id }) => id);

function streaming(text = '', answers: Parameters<typeof createFakeClient>[0] = {}) {
  const client = createFakeClient(answers);
  const drawn = frames();
  const question = message(1, null);
  const answer = message(2, 1, { role: 'assistant', text, state: 'streaming', finish: null });
  const open = new OpenConversation(client, conversation([question, answer]), drawn.schedule);
  return { client, drawn, open, answer };
}

test('shows one branch of the tree and counts the others', async () => {
  const tree = [message(1, null), message(2, 1, { role: 'assistant' }), message(3, 1, { role: 'assistant' }), message(4, 3)];
  const client = createFakeClient({ 'conversations.selectBranch': () => ({ leafId: 2 }) });
  const open = new OpenConversation(client, conversation(tree));
  expect(ids(open.path)).toEqual([1, 3, 4]);
  expect(ids(open.branches(tree[2]!))).toEqual([2, 3]);
  await open.selectBranch(tree[1]!);
  expect(ids(open.path)).toEqual([1, 2]);
});

test('the last picture of the branch is in force, unless one is pinned', async () => {
  const tree = [
    message(1, null, { pictures: [picture('a')] }),
    message(2, 1, { role: 'assistant' }),
    message(3, 2, { pictures: [picture('b'), picture('c')] }),
  ];
  const client = createFakeClient({ 'conversations.pinPicture': () => null });
  const open = new OpenConversation(client, conversation(tree));
  expect(open.pictureInForce?.name).toBe('c.png');
  await open.pinPicture(picture('a'));
  expect(open.pictureInForce?.name).toBe('a.png');
  expect(client.inputs('conversations.pinPicture')).toEqual([{ id: 1, hash: 'a'.repeat(64) }]);
  await open.pinPicture(null);
  // Pinned in another window.
  client.send('picture.pinned', { conversationId: 2, picture: picture('a') });
  expect(open.pinnedPicture).toBeNull();
  client.send('picture.pinned', { conversationId: 1, picture: picture('a') });
  expect(open.pictureInForce).toEqual(picture('a'));
  client.send('picture.pinned', { conversationId: 1, picture: null });
  expect(open.pictureInForce?.name).toBe('c.png');
});

test('a picture of another branch is not in force', () => {
  const tree = [
    message(1, null, { pictures: [picture('a')] }),
    message(2, 1, { role: 'assistant' }),
    message(3, 2, { pictures: [picture('b')] }),
    message(4, 2),
  ];
  expect(new OpenConversation(createFakeClient(), conversation(tree)).pictureInForce?.name).toBe('a.png');
});

test('text is shown once a frame', () => {
  const { client, drawn, open, answer } = streaming();
  client.send('answer.text', piece(0, 'One '));
  client.send('answer.text', piece(4, 'two '));
  client.send('answer.text', piece(8, 'three'));
  expect(open.text(answer)).toBe('');
  expect(drawn.count).toBe(1);
  drawn.draw();
  expect(open.text(answer)).toBe('One two three');
});

test('what is known already is not shown twice', () => {
  const { client, drawn, open, answer } = streaming('One two');
  client.send('answer.text', piece(0, 'One '));
  client.send('answer.text', piece(4, 'two three'));
  drawn.draw();
  expect(open.text(answer)).toBe('One two three');
});

test('after a gap everything is asked for again', async () => {
  const whole = conversation([
    message(1, null),
    message(2, 1, { role: 'assistant', text: 'One two three', state: 'streaming', finish: null }),
  ]);
  const { client, drawn, open, answer } = streaming('One ', { 'conversations.open': () => whole });
  client.send('answer.text', piece(8, 'three'));
  await Promise.resolve();
  await Promise.resolve();
  expect(client.inputs('conversations.open')).toEqual([{ id: 1 }]);
  client.send('answer.text', piece(13, ' four'));
  drawn.draw();
  expect(open.text(answer)).toBe('One two three four');
});

test('after a reconnection everything is asked for again', () => {
  const { client } = streaming('', { 'conversations.open': () => conversation([]) });
  client.connect(false);
  expect(client.asked).toEqual([]);
  client.connect(true);
  expect(client.inputs('conversations.open')).toEqual([{ id: 1 }]);
});

test('a finished answer is what was stored', () => {
  const { client, open, answer } = streaming();
  client.send('answer.text', piece(0, 'half'));
  expect(open.running?.id).toBe(2);
  client.send('message.changed', { ...answer, text: 'whole', state: 'complete', finish: 'stop' });
  expect(open.running).toBeNull();
  expect(open.text(open.path[1]!)).toBe('whole');
  expect(open.turn(answer)).toBeNull();
});

test('a message that is new becomes the end of what is shown; a changed one does not', () => {
  const { client, open, answer } = streaming();
  client.send('message.changed', message(3, 1, { role: 'assistant', state: 'streaming' }));
  expect(ids(open.path)).toEqual([1, 3]);
  client.send('message.changed', { ...answer, state: 'stopped' });
  expect(ids(open.path)).toEqual([1, 3]);
});

test('messages of other conversations are passed over', () => {
  const { client, open } = streaming();
  client.send('message.changed', message(9, 2, { conversationId: 5 }));
  client.send('answer.text', { ...piece(0, 'x'), conversationId: 5 });
  expect(ids(open.path)).toEqual([1, 2]);
});

test('an answer that goes on begins with what it had', async () => {
  const stopped = message(2, 1, { role: 'assistant', text: 'One', state: 'stopped', finish: 'cancelled' });
  const drawn = frames();
  const client = createFakeClient({ 'chat.continue': () => ({ ...stopped, state: 'streaming', finish: null }) });
  const open = new OpenConversation(client, conversation([message(1, null), stopped]), drawn.schedule);
  await open.continueAnswer(stopped);
  client.send('answer.text', piece(3, ' two'));
  drawn.draw();
  expect(open.text(open.path[1]!)).toBe('One two');
});

test('nothing is heard any more after closing', () => {
  const { client, open } = streaming();
  open.close();
  client.send('message.changed', message(3, 2));
  expect(ids(open.path)).toEqual([1, 2]);
});

test('a check of an answer is followed until there is a verdict', () => {
  const client = createFakeClient();
  const answer = message(2, 1, { role: 'assistant' });
  const open = new OpenConversation(client, conversation([message(1, null), answer]));
  expect(open.check(answer)).toBeNull();
  const state = { messageId: 2, conversationId: 1, phase: 'judging', failure: null } as const;
  client.send('answer.check', { ...state, conversationId: 2 });
  expect(open.check(answer)).toBeNull();
  client.send('answer.check', state);
  expect(open.check(answer)).toEqual(state);
  const judgement = { by: 'Guard', question: { finding: 'safe', categories: [] }, answer: null, ms: 1 } satisfies Message['judgement'];
  client.send('message.changed', { ...answer, judgement });
  expect(open.check(answer)).toBeNull();
  expect(open.path.at(-1)!.judgement).toEqual(judgement);
});
