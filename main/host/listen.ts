/** Taking a port of 127.0.0.1, or saying who has it and what to do. */
import type { AddressInfo, Server } from 'node:net';
import { LoupeError } from '../errors.ts';
import { describeHolder, findPortHolder } from './port-holder.ts';

/** On 127.0.0.1; 0 = any free port. Returns the port. Throws `port_unavailable`. */
export async function listenHere(server: Server, port: number): Promise<number> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    throw await listenFailure(error as NodeJS.ErrnoException, port);
  }
  return (server.address() as AddressInfo).port;
}

export async function listenFailure(error: NodeJS.ErrnoException, port: number): Promise<LoupeError> {
  const fail = (message: string, nextStep?: string): LoupeError => new LoupeError('port_unavailable', message, nextStep, { cause: error });
  switch (String(error.code)) {
    case 'EADDRINUSE':
      if (port === 0) {
        return fail('Every port of this machine is in use.', 'Close programs that keep many connections open, then start Loupe again.');
      }
      return fail(`Port ${port} is in use by ${describeHolder(await findPortHolder(port))}.`);
    case 'EACCES':
    case 'EPERM':
      if (port === 0) {
        const guards = 'what guards this system (a sandbox or a firewall)';
        return fail(
          'This system does not let Loupe listen on any port.',
          `Allow Loupe to listen on 127.0.0.1 in ${guards}, then start it again.`,
        );
      }
      return fail(`This system reserves port ${port}${port < 1024 ? ', like all ports below 1024' : ''}.`);
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return fail(
        'This machine has no address 127.0.0.1: its loopback network is off.',
        'Switch it on (Linux: `ip link set lo up`), then start Loupe again.',
      );
    case 'EMFILE':
    case 'ENFILE':
      return fail(
        'This system does not let Loupe open any more files.',
        'Close other programs or raise the limit (`ulimit -n`), then start Loupe again.',
      );
    default:
      return fail(`Loupe cannot listen on ${port === 0 ? 'any port' : `port ${port}`} of 127.0.0.1 (${error.message}).`);
  }
}
