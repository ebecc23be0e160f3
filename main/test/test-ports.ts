/** What the app stands on in tests: a store in `directory`, an engine that repeats what it is asked, and the real readers of files. */
import type { AppPorts, Host } from '../app-ports.ts';
import { createDocumentReader } from '../documents/document-client.ts';
import { createFakeEngine } from '../engine/test/fake-engine.ts';
import { demoModel } from '../host/paths.ts';
import { createPictureWorker } from '../image/picture-client.ts';
import { createTextRecogniser } from '../ocr/ocr-client.ts';
import type { CaptureHost } from '../services/ports.ts';
import { openStore } from '../storage/store.ts';
import { browserCapture } from '../web/browser-capture.ts';

export function testPorts(
  directory: string,
  {
    store = openStore(directory, { tolerant: true }),
    engine = createFakeEngine(),
    pictures = createPictureWorker(),
    documents = createDocumentReader(),
    ocr = createTextRecogniser(),
    capture = browserCapture,
    host = {},
    ...others
  }: Partial<Omit<AppPorts, 'host'>> & { host?: Partial<Host> } = {},
): AppPorts<CaptureHost> {
  return {
    store,
    engine,
    pictures,
    documents,
    ocr,
    capture,
    ...others,
    host: {
      kind: 'web',
      version: '1.2.3',
      dataDirectory: directory,
      logsDirectory: directory,
      demoModel,
      licences: async () => [],
      openFolder: async () => false,
      openMain: () => {},
      ...host,
    },
  };
}
