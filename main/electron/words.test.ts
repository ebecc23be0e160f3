import { expect, test } from 'vitest';
import { link } from '../../renderer/strings/common.ts';
import { words } from './words.ts';

test('the desktop app and the window ask about links in the same words', () => {
  const { question, open, cancel, detail } = words.link;
  expect({ question: question('a.example'), open, cancel, detail: detail('') }).toEqual({
    question: link.question('a.example'),
    open: link.open,
    cancel: link.cancel,
    detail: `\n\n${link.detail}`,
  });
});
