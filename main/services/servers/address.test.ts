import { expect, test } from 'vitest';
import { readAddress, requirePrivacy } from './address.ts';

test.each([
  ['http://127.0.0.1:8080', 'http://127.0.0.1:8080/v1', '127.0.0.1:8080', true, false],
  ['localhost:11434', 'http://localhost:11434/v1', 'localhost:11434', true, false],
  ['[::1]:8080/v1/', 'http://[::1]:8080/v1', '[::1]:8080', true, false],
  ['example.org', 'https://example.org/v1', 'example.org', false, true],
  [' https://Example.org:8443/openai/v1/chat/completions ', 'https://example.org:8443/openai/v1', 'example.org:8443', false, true],
  ['http://192.168.1.5:8000/v1/models', 'http://192.168.1.5:8000/v1', '192.168.1.5:8000', false, false],
  // What looks like this computer, and is a name that anybody can register; and letters that look like others.
  ['https://127.0.0.1.example.org', 'https://127.0.0.1.example.org/v1', '127.0.0.1.example.org', false, true],
  ['https://exаmple.org', 'https://xn--exmple-4nf.org/v1', 'xn--exmple-4nf.org', false, true],
])('%s', (entered, base, host, here, encrypted) => {
  expect(readAddress(entered)).toEqual({ base, host, here, encrypted });
});

test.each([
  ['ftp://example.org', /ftp/],
  ['file:///etc/passwd', /file/],
  ['http://', /not an address/],
  ['two words', /not an address/],
  ['https://me:secret@example.org', /a name or a password/],
  ['https://example.org/v1?key=1', /behind a/],
])('%s is refused', (entered, message) => {
  expect(() => readAddress(entered)).toThrow(message);
});

test('another computer without encryption only where somebody agreed', () => {
  const open = readAddress('http://192.168.1.5:8000');
  expect(() => requirePrivacy(open, false)).toThrow(expect.objectContaining({ code: 'server_unencrypted' }) as Error);
  expect(() => requirePrivacy(open, true)).not.toThrow();
  for (const fine of ['https://example.org', 'localhost:8080']) expect(() => requirePrivacy(readAddress(fine), false)).not.toThrow();
});
