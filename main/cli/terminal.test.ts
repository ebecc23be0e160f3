import { expect, test } from 'vitest';
import { withoutCommands } from './terminal.ts';

test.each([
  ['text, in several\n\tlines', 'text, in several\n\tlines'],
  ['a table,\r\nin CSV', 'a table,\r\nin CSV'],
  ['שלום 👩‍👩‍👧 é', 'שלום 👩‍👩‍👧 é'],
  // The clipboard, the title, the colours, and a line that is not what it was.
  ['\u001b]52;c;cm0gLXJm\u0007', '␛]52;c;cm0gLXJm␇'],
  ['\u009d0;title\u009c', '\ufffd0;title\ufffd'],
  ['one\rtwo\b\u007f\0', 'one␍two␈␡␀'],
])('what a terminal would obey is made visible: %j', (text, shown) => {
  expect(withoutCommands(text)).toBe(shown);
});

test('lines of progress are drawn over each other', () => {
  expect(withoutCommands('\r\u001b[Kpage 2\rpage 3\u001b[2J', { mayRedraw: true })).toBe('\r\u001b[Kpage 2\rpage 3␛[2J');
});
