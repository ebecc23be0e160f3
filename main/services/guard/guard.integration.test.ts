/**
 * A check of an answer with the real engine:
 * one small model answers, a small Llama Guard takes its place and judges, the first comes back.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { EngineState } from '../../contract.ts';
import { createEngineClient } from '../../engine/client.ts';
import { openStore } from '../../storage/store.ts';
import { createChat } from '../chat/chat.ts';
import { createEngineService } from '../engine-service.ts';
import { systems, writeSystem } from '../models/test/systems.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-guard-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('the guard is loaded after the answer, and the model that answered after the guard', { timeout: 300_000 }, async () => {
  const [chatty, guard] = ['llama-3.2-1b-instruct', 'llama-guard-3-11b-vision'].map((id) => systems.find((system) => system.id === id)!);
  for (const system of [chatty!, guard!]) writeSystem(join(directory, system.id), system);
  const store = openStore(join(directory, 'data'));
  store.saveSettings({ model: chatty!.id, guard: guard!.id, contextLength: 2048, maxTokens: 4, temperature: 0 });
  const states: EngineState[] = [];
  const engine = createEngineService({
    engine: createEngineClient(),
    settings: () => store.settings(),
    model: (id) => ({
      choice: { id, name: id, kind: id === guard!.id ? 'guard' : 'text', bytes: 1, present: true },
      place: async () => ({ directory: join(directory, id) }),
    }),
    onChange: (state) => void (state.status === 'ready' && states.push(state)),
  });
  const failures: unknown[] = [];
  const chat = createChat({
    store,
    engine,
    showPage: () => Promise.reject(new Error('No page is looked at here.')),
    emit: ({ event, payload }) => void (event === 'answer.check' && payload.failure && failures.push(payload.failure)),
  });
  try {
    const { answer } = chat.send({ conversationId: null, parentId: null, text: 'Who signed it?', pictures: [], scope: null });
    const judged = await vi.waitFor(
      () => {
        expect(failures).toEqual([]);
        const message = store.conversations.message(answer.id);
        expect(message.judgement).not.toBeNull();
        return message;
      },
      { timeout: 240_000, interval: 200 },
    );
    // Weights of chance write no verdict, and are not taken to.
    expect(judged).toMatchObject({
      state: 'complete',
      model: chatty!.id,
      judgement: { by: guard!.id, question: { finding: 'unclear' }, answer: { finding: 'unclear' } },
    });
    await engine.follow();
    expect(states.map(({ model, use }) => [model?.id, use])).toEqual([
      [chatty!.id, 'chat'],
      [guard!.id, 'guard'],
      [chatty!.id, 'chat'],
    ]);
  } finally {
    chat.close();
    await engine.close();
    store.close();
  }
});
