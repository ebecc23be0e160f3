/** Held-out questions for the demo model, as training/evaluation_set.py writes them, asked through an engine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChatMessage, ChatPart, Engine } from '../../services/ports.ts';

export interface Turn {
  /** Relative to the set's folder; absent where the turn brings no new picture. */
  image?: string;
  ask: string;
  answer: string;
}

/** The last turn is asked; the answers of those before it are given. */
export interface Case {
  cell: string;
  fonts: 'known' | 'held-out';
  /** Of the last picture; 0 without one. */
  tiles: number;
  turns: Turn[];
  /** Another answer that counts: the word that a sentence says. */
  also?: string;
  /** What the PyTorch model answers, where it was asked. */
  reference?: string;
}

export interface Outcome {
  case: Case;
  text: string;
  right: boolean;
}

export interface Share {
  questions: number;
  /** 0 to 1. */
  exact: number;
}

export function readCases(folder: string): Case[] {
  return JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as Case[];
}

/** Greedy, in order of the cases. */
export async function askAll(
  engine: Engine,
  folder: string,
  cases: Case[],
  onOutcome: (outcome: Outcome) => void = () => {},
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const one of cases) {
    const { text } = await engine.generate({ messages: conversation(folder, one.turns), maxTokens: 100, sampling: { temperature: 0 } });
    const outcome = { case: one, text, right: text === one.turns.at(-1)!.answer || text === one.also };
    outcomes.push(outcome);
    onOutcome(outcome);
  }
  return outcomes;
}

function conversation(folder: string, turns: Turn[]): ChatMessage[] {
  return turns.flatMap(({ image, ask, answer }, index): ChatMessage[] => {
    const picture: ChatPart[] = image === undefined ? [] : [{ type: 'image', image: { path: join(folder, image) } }];
    const asked: ChatMessage = { role: 'user', content: [...picture, { type: 'text', text: ask }] };
    return index === turns.length - 1 ? [asked] : [asked, { role: 'assistant', content: [{ type: 'text', text: answer }] }];
  });
}

/** By cell; by cell and fonts; by cell, fonts and number of tiles. The keys of training/evaluate.py. */
export function shares(outcomes: Outcome[]): Record<string, Share> {
  const groups = new Map<string, boolean[]>();
  for (const {
    case: { cell, fonts, tiles },
    right,
  } of outcomes) {
    for (const key of [cell, `${cell}, ${fonts} fonts`, `${cell}, ${fonts} fonts, ${tiles === 1 ? 'one tile' : 'several tiles'}`]) {
      const group = groups.get(key);
      if (group) group.push(right);
      else groups.set(key, [right]);
    }
  }
  const entries = [...groups].map(([key, group]): [string, Share] => {
    const exact = group.filter(Boolean).length / group.length;
    return [key, { questions: group.length, exact: Math.round(exact * 10_000) / 10_000 }];
  });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
