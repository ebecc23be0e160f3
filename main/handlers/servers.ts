/** Servers that answer. */
import type { Servers } from '../services/servers/servers.ts';
import { done, type AreaHandlers } from './area.ts';

export function serverHandlers(servers: Servers): AreaHandlers<'servers'> {
  return {
    'servers.list': () => servers.list(),
    'servers.models': (input) => servers.models(input),
    'servers.add': (input) => servers.add(input),
    'servers.change': (input) => servers.change(input),
    'servers.test': ({ id }) => servers.test(id),
    'servers.remove': done(({ id }) => servers.remove(id)),
  };
}
