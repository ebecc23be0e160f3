/** For every test: a limit of waiting is for what never comes, and a busy machine may take its time. */
import { vi } from 'vitest';

const { waitFor } = vi;
vi.waitFor = (check, options) => waitFor(check, { timeout: 20_000, ...(typeof options === 'number' ? { timeout: options } : options) });
