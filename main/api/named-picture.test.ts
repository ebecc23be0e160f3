import { expect, test } from 'vitest';
import { checkPath } from './named-picture.ts';

test.each(['\\\\evil.example\\share\\a.png', '//evil.example/share/a.png', '\\\\?\\UNC\\evil.example\\a.png', '\\/evil.example/a.png'])(
  'on Windows no path connects to another computer: %s',
  (path) => {
    expect(() => checkPath(path, 'win32')).toThrow(expect.objectContaining({ code: 'image_missing' }));
  },
);
