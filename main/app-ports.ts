/** What a host puts into the app, and what it gets. */
import type { Captured, EventMessage, Handlers, Picture, TextLine } from './contract.ts';
import type {
  CaptureHost,
  DocumentReader,
  Engine,
  KernelRecords,
  PagePicture,
  PictureWorker,
  SecretStore,
  Store,
  StoredFile,
  TextRecogniser,
  WordVectors,
} from './services/ports.ts';
import type { Consents } from './services/consents.ts';
import type { EngineService } from './services/engine-service.ts';
import type { Models } from './services/models/models.ts';
import type { Pictures } from './services/pictures.ts';
import type { ListenOptions, ProgramServer } from './services/programs.ts';

export interface Host {
  kind: 'electron' | 'web';
  version: string;
  dataDirectory: string;
  logsDirectory: string;
  /** The checkpoint that comes with the app. */
  demoModel: string;
  /** Where compiled pipelines are kept. */
  cacheDirectory?: string;
  kernelRecords?: KernelRecords;
  licences: () => Promise<{ name: string; text: string }[]>;
  /** False where there is no file manager to open it in. */
  openFolder: (path: string) => Promise<boolean>;
  /** Asks the person, from this folder on; null where none was chosen. Absent where the host cannot ask. */
  chooseFolder?: (from: string) => Promise<string | null>;
  /** Asks the person for the file that everything goes into, or comes from; null where none was chosen. Absent where the host cannot ask. */
  chooseArchive?: (work: 'export' | 'import') => Promise<string | null>;
  openMain: (conversationId: number | null) => void;
  /** Brings a window to the front in which the person can be asked something; false where there is none. Absent: there never is. */
  showToAsk?: () => boolean;
  /** Ends the app; absent where something else does, as the terminal of a web host. */
  quit?: () => void;
  /** Autostart, hotkey and the like follow the settings. */
  settingsChanged?: () => void;
  /** Called with what failed in the background, or a sentence of it without names and content (`host/problems.ts` knows each). */
  onFault?: (error: unknown) => void;
}

export interface AppPorts<Capture extends CaptureHost = CaptureHost> {
  store: Store;
  engine: Engine;
  pictures: PictureWorker;
  documents: DocumentReader;
  ocr: TextRecogniser;
  /** Called for each question about a document. Absent: its pages are ranked by the words of the question alone. */
  wordVectors?: () => Promise<WordVectors>;
  /** Called with what the host needs to keep what it captures. */
  capture: (app: CaptureServices) => Capture;
  host: Host;
  /** Another engine, for work that takes minutes. */
  startEngine?: () => Engine;
  /** Absent = in memory, until the process ends. */
  secrets?: SecretStore;
  /** Answers other programs on this computer. Rejects with `port_unavailable`. Absent where the host answers none. */
  listenForPrograms?: (app: ProgramServices, options: ListenOptions) => Promise<ProgramServer>;
  /** The demo model's abilities.json, parsed; null where it is not installed. */
  abilities?: unknown;
}

/** What programs use of the app. */
export interface ProgramServices {
  engine: EngineService;
  models: Pick<Models, 'list'>;
  worker: Pick<PictureWorker, 'compose' | 'inspect'>;
  pictures: Pick<Pictures, 'add'>;
  conversations: Store['conversations'];
  privately: Pick<Store['privately'], 'has'>;
  consents: Pick<Consents, 'ask'>;
  capture: Pick<CaptureHost, 'state' | 'take'>;
  settings: Store['settings'];
  version: string;
  emit: (event: EventMessage) => void;
  onFault: (error: unknown) => void;
}

export interface CaptureServices {
  /** For a conversation; null: one that is kept. */
  addPicture: (bytes: Uint8Array, name: string, madeFor: number | null) => Promise<Picture>;
  /** In a private conversation of its own. */
  addPrivately: (bytes: Uint8Array, name: string) => Promise<Captured>;
  /** The text in a picture that is not kept; `of` is what `stopText` calls it. */
  readText: (bytes: Uint8Array, name: string, of: string, onLine: (line: TextLine) => void) => Promise<TextLine[]>;
  stopText: (of: string) => void;
  emit: (event: EventMessage) => void;
  settings: Store['settings'];
}

export interface App<Capture extends CaptureHost = CaptureHost> {
  handlers: Handlers;
  /** Returns a function that stops the listener. */
  on(listener: (event: EventMessage) => void): () => void;
  /** Sends an event to every window. */
  emit(event: EventMessage): void;
  /** What a browser can show: a file, or bytes of a private conversation. Throws `not_found`. */
  pictureFile(hash: string, scale: 'full' | 'thumb'): StoredFile;
  /** A page of a document, `width` pixels wide. Rejects with `not_found`, `document_*`. */
  pagePicture(id: number, page: number, width: number): Promise<PagePicture>;
  capture: Capture;
  /** Hands files that the person opened with Loupe to the main window; `leftOut`: how many more there were. */
  open(paths: readonly string[], leftOut: number): void;
  /** Locks what is kept, where a passphrase can unlock it. Does not reject. */
  lock(): Promise<void>;
  /** Nothing of what is kept can be shown before somebody unlocks it. */
  isLocked(): boolean;
  /** Answers that are being written are kept as interrupted. */
  close(): Promise<void>;
}
