import type { Cover } from '../../services/ports.ts';
import { isSealedHead, opened, sealed } from '../../sealed-file.ts';
import { keysOf } from './folder-keys.ts';
import { keysToWrite } from './refuse.ts';

export function coverOf(directory: string): Cover {
  return {
    seal: (bytes) => {
      const keys = keysToWrite(directory);
      return keys ? sealed(keys.files, bytes) : bytes;
    },
    open: (bytes) => {
      const keys = keysOf(directory);
      return keys ? opened(keys.files, bytes) : isSealedHead(bytes) ? null : bytes;
    },
  };
}
