import { usePictureKey } from '../../main/contract.ts';
import { bridgeTransport } from './bridge.ts';
import { createClient, type Client } from './client.ts';
import { enterSession, type Refusal } from './session.ts';
import { websocketTransport } from './websocket.ts';

/** The Electron shell where there is one, else the web host that served this page, which may let nobody in. */
export async function connect(): Promise<Client | Refusal> {
  if (window.loupe) return createClient(bridgeTransport(window.loupe));
  const session = await enterSession();
  if (typeof session === 'string') return session;
  usePictureKey(session.pictures);
  return createClient(websocketTransport(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/socket`, session.key));
}
