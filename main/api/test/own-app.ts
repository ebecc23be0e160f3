/** The app with a data folder of its own and the local API beside it, for tests: its engine repeats what it is asked, unless a test brings one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AppPorts } from '../../app-ports.ts';
import { createApp, type App } from '../../app.ts';
import type { EventMessage, ProgramsState } from '../../contract.ts';
import { createFakeEngine } from '../../engine/test/fake-engine.ts';
import { createPictureWorker } from '../../image/picture-client.ts';
import type { Engine, PictureWorker } from '../../services/ports.ts';
import { testPorts } from '../../test/test-ports.ts';
import { browserCapture } from '../../web/browser-capture.ts';
import { listenForPrograms } from '../serve.ts';

export interface OwnApp {
  app: App;
  directory: string;
  /** What windows were told. */
  events: EventMessage[];
  /** The port, once the API is in this state; 0 where it listens on none. */
  reached(status: ProgramsState['status']): Promise<number>;
  close(): Promise<void>;
}

export interface OwnAppOptions extends Partial<Pick<AppPorts, 'capture'>> {
  startEngine?: (pictures: PictureWorker) => Engine;
  showToAsk?: () => boolean;
}

export function startOwnApp({
  startEngine = () => createFakeEngine(),
  capture = browserCapture,
  showToAsk = () => true,
}: OwnAppOptions = {}): OwnApp {
  const directory = mkdtempSync(join(tmpdir(), 'loupe-beside-'));
  const pictures = createPictureWorker();
  const app = createApp(
    testPorts(directory, {
      engine: startEngine(pictures),
      pictures,
      capture,
      // Any free port: other tests run beside this one.
      listenForPrograms: (services, options) => listenForPrograms(services, { ...options, port: 0 }),
      host: { showToAsk },
    }),
  );
  const events: EventMessage[] = [];
  app.on((event) => void events.push(event));
  return {
    app,
    directory,
    events,
    async reached(status) {
      while ((await app.handlers['programs.state']({})).status !== status) await new Promise((resolve) => setTimeout(resolve, 5));
      return (await app.handlers['programs.state']({})).port ?? 0;
    },
    async close() {
      await app.close();
      rmSync(directory, { recursive: true });
    },
  };
}
