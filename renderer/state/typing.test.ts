import { expect, test } from 'vitest';
import { writes } from './typing.ts';

type Held = Partial<Record<'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey' | 'altGraph', boolean>>;

function press(key: string, { altGraph = false, ...held }: Held = {}): KeyboardEvent {
  const event = {
    key,
    ctrlKey: false,
    metaKey: false,
    altKey: false,
    ...held,
    getModifierState: (name: string) => name === 'AltGraph' && altGraph,
  };
  return event as KeyboardEvent;
}

test.each<[string, Held, { mac: boolean; other: boolean }]>([
  ['a', {}, { mac: true, other: true }],
  ['Ä', { shiftKey: true }, { mac: true, other: true }],
  ['7', {}, { mac: true, other: true }],
  ['Dead', {}, { mac: true, other: true }],
  // Option on a Mac, AltGr elsewhere, which Windows reports with Ctrl and Alt.
  ['@', { altKey: true }, { mac: true, other: false }],
  ['€', { ctrlKey: true, altKey: true, altGraph: true }, { mac: true, other: true }],
  ['v', { ctrlKey: true }, { mac: false, other: true }],
  ['v', { metaKey: true }, { mac: true, other: false }],
  [' ', {}, { mac: false, other: false }],
  ['c', { ctrlKey: true }, { mac: false, other: false }],
  ['c', { metaKey: true }, { mac: false, other: false }],
  ['Enter', {}, { mac: false, other: false }],
  ['PageUp', {}, { mac: false, other: false }],
  ['F2', {}, { mac: false, other: false }],
])('%s with %o', (key, held, expected) => {
  expect({ mac: writes(press(key, held), true), other: writes(press(key, held), false) }).toEqual(expected);
});
