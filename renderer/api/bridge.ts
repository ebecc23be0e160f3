import type { Transport } from './transport.ts';

/** What the preload script of the Electron shell puts into the window. */
export interface Bridge {
  request(name: string, input: unknown): Promise<unknown>;
  onEvent(listener: (message: unknown) => void): void;
}

declare global {
  interface Window {
    readonly loupe?: Bridge;
  }
}

/** The Electron shell: the app lives as long as the window, so the connection is never lost. */
export function bridgeTransport(bridge: Bridge): Transport {
  return {
    request: (name, input) => bridge.request(name, input),
    onEvent: (listener) => bridge.onEvent(listener),
    onConnection: (listener) => listener(true),
  };
}
