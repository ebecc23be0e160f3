import { bridgeTransport } from './bridge.ts';
import { createClient, type Client } from './client.ts';
import { websocketTransport } from './websocket.ts';

/** The Electron shell where there is one, else the web host that served this page. */
export function connect(): Client {
  const transport = window.loupe
    ? bridgeTransport(window.loupe)
    : websocketTransport(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/socket`);
  return createClient(transport);
}
