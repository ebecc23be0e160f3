/**
 * As much of Electron as the shell uses, without windows or a screen: for tests under Node, where
 * no Electron can run. It records what it is told, and tests make it say what the system would.
 */
import { EventEmitter } from 'node:events';
import type * as electronModule from 'electron';
import { forkHost } from '../../process/channel.ts';
import { entry, isEntry } from '../entries.ts';

type Handler = (...given: never[]) => unknown;
type OpenHandler = (details: { url: string }) => { action: string };

let nextContentsId = 1;

/** Every function that comes to Electron comes through `entry`: one that does not is a fault of the shell, wherever it is found. */
function accept<Given extends object>(handler: Given): Given {
  if (!isEntry(handler)) throw new Error('A handler was handed to Electron past entries.ts.');
  return handler;
}

/** What the shell listens to. Tests hear of its end with `heard`. */
class EmitterDouble extends EventEmitter {
  override on(name: string, handler: (...given: never[]) => void): this {
    // `once` comes here as well, with a function of its own around the handler.
    accept('listener' in handler ? (handler.listener as object) : handler);
    return super.on(name, handler as (...given: unknown[]) => void);
  }
  heard(name: string): Promise<void> {
    return new Promise((resolve) =>
      this.once(
        name,
        entry(() => resolve()),
      ),
    );
  }
}

export class ContentsDouble extends EmitterDouble {
  readonly id = nextContentsId++;
  readonly sent: unknown[][] = [];
  openHandler: OpenHandler | null = null;
  webRtc = '';
  setWebRTCIPHandlingPolicy(policy: string): void {
    this.webRtc = policy;
  }
  url = '';
  getURL(): string {
    return this.url;
  }
  destroyed = false;
  send(...message: unknown[]): void {
    this.sent.push(message);
  }
  isDestroyed(): boolean {
    return this.destroyed;
  }
  setWindowOpenHandler(handler: OpenHandler): void {
    this.openHandler = accept(handler);
  }
  /** How often the page was looked at, which gives it a frame. */
  looks = 0;
  /** What is seen then: blue, green, red and a fourth byte; null = some grey, or the mark of an overlay that was emptied. */
  looksLike: Uint8Array | null = null;
  private isEmptied(): boolean {
    const told = this.sent
      .map(([, message]) => message as { event: string; payload: unknown })
      .findLast(({ event }) => event === 'capture.frozen');
    return told?.payload === null;
  }
  async capturePage(): Promise<ImageDouble> {
    this.looks++;
    await new Promise((resolve) => setTimeout(resolve, 5));
    const seen = new ImageDouble(1, 1);
    const looksLike = this.looksLike ?? (this.isEmptied() ? Uint8Array.of(0xff, 0, 0xff, 0xff) : null);
    return looksLike ? Object.assign(seen, { toBitmap: () => Buffer.from(looksLike) }) : seen;
  }
}

export interface Bounds {
  x: number;
  y: number;
  width: number;
  height: number;
}

export class WindowDouble extends EmitterDouble {
  readonly webContents = new ContentsDouble();
  readonly options: electronModule.BrowserWindowConstructorOptions;
  readonly calls: string[] = [];
  bounds: Bounds;
  url = '';
  visible = false;
  focused = false;
  maximized = false;
  minimized = false;
  destroyed = false;
  alwaysOnTop: string | null = null;
  background = '';

  constructor(options: electronModule.BrowserWindowConstructorOptions) {
    super();
    this.options = options;
    const { x = 0, y = 0, width = 800, height = 600 } = options;
    this.bounds = { x, y, width, height };
  }

  async loadURL(url: string): Promise<void> {
    this.url = this.webContents.url = url;
  }
  reload(): void {
    this.calls.push('reload');
  }
  show(): void {
    this.calls.push('show');
    this.visible = true;
    this.focused = true;
  }
  showInactive(): void {
    this.calls.push('showInactive');
    this.visible = true;
  }
  /** As on Linux, where it shows a window that was hidden. */
  setFullScreen(): void {
    this.calls.push('setFullScreen');
    this.visible = true;
  }
  moveTop(): void {
    this.calls.push('moveTop');
  }
  /** As on X11: it has the keyboard until the window manager has said who has it now. */
  hide(): void {
    this.calls.push('hide');
    this.visible = false;
  }
  focus(): void {
    this.calls.push('focus');
    this.focused = true;
  }
  flashFrame(): void {
    this.calls.push('flashFrame');
  }
  restore(): void {
    this.minimized = false;
  }
  maximize(): void {
    this.maximized = true;
  }
  close(): void {
    let prevented = false;
    this.emit('close', { preventDefault: () => (prevented = true) });
    if (!prevented) this.destroy();
  }
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.visible = false;
    this.webContents.destroyed = true;
    this.emit('closed');
  }
  setBounds(bounds: Bounds): void {
    this.bounds = { ...bounds };
  }
  getBounds(): Bounds {
    return this.bounds;
  }
  getNormalBounds(): Bounds {
    return this.bounds;
  }
  setAlwaysOnTop(_flag: boolean, level: string): void {
    this.alwaysOnTop = level;
  }
  setVisibleOnAllWorkspaces(): void {
    this.calls.push('setVisibleOnAllWorkspaces');
  }
  setBackgroundColor(colour: string): void {
    this.background = colour;
  }
  isVisible(): boolean {
    return this.visible;
  }
  isFocused(): boolean {
    return this.focused;
  }
  isMaximized(): boolean {
    return this.maximized;
  }
  isMinimized(): boolean {
    return this.minimized;
  }
  isDestroyed(): boolean {
    return this.destroyed;
  }
}

/** A picture of one colour that remembers what was cut out of it. */
export class ImageDouble {
  readonly width: number;
  readonly height: number;
  readonly png: Uint8Array;
  readonly crops: Bounds[] = [];
  constructor(width: number, height: number, png: Uint8Array = Uint8Array.of(0x89, 0x50)) {
    this.width = width;
    this.height = height;
    this.png = png;
  }
  isEmpty(): boolean {
    return this.width === 0 || this.height === 0;
  }
  getSize(): { width: number; height: number } {
    return { width: this.width, height: this.height };
  }
  crop(region: Bounds): ImageDouble {
    this.crops.push(region);
    return this;
  }
  toPNG(): Buffer {
    return Buffer.from(this.png);
  }
  toBitmap(): Buffer {
    return Buffer.alloc(this.width * this.height * 4, 0x80);
  }
}

export class ShortcutDouble {
  readonly registered = new Map<string, () => void>();
  /** Combinations that belong to another program. */
  readonly taken = new Set<string>();
  register(accelerator: string, callback: () => void): boolean {
    if (this.taken.has(accelerator)) return false;
    this.registered.set(accelerator, accept(callback));
    return true;
  }
  unregister(accelerator: string): void {
    this.registered.delete(accelerator);
  }
  press(accelerator: string): void {
    this.registered.get(accelerator)?.();
  }
}

/** Encrypts by turning bits, with a key that can be lost. */
export class SafeStorageDouble {
  available = true;
  backend: ReturnType<typeof electronModule.safeStorage.getSelectedStorageBackend> = 'gnome_libsecret';
  key = 0x5a;
  isEncryptionAvailable(): boolean {
    return this.available;
  }
  getSelectedStorageBackend(): typeof this.backend {
    return this.backend;
  }
  encryptString(text: string): Buffer {
    return Buffer.from([this.key, ...Buffer.from(text).map((byte) => byte ^ this.key)]);
  }
  decryptString(encrypted: Buffer): string {
    if (encrypted[0] !== this.key) throw new Error('Error while decrypting the ciphertext provided to safeStorage.decryptString.');
    return Buffer.from(encrypted.subarray(1).map((byte) => byte ^ this.key)).toString();
  }
}

export interface ElectronDoubleOptions {
  /** False: another instance has it. */
  lock?: boolean;
  packaged?: boolean;
  /** What the person answers to dialogs: the button's index. */
  answer?: number;
  /** Of Chromium, on the command line. */
  switches?: readonly string[];
  /** The folder or file that the person chooses; absent = cancels. */
  chosen?: string;
  safeStorage?: SafeStorageDouble;
  displays?: { id: number; bounds: Bounds; scaleFactor: number; image: ImageDouble }[];
}

export interface ElectronDouble {
  electron: typeof electronModule;
  app: EmitterDouble & {
    quits: number;
    exits: number[];
    paths: Map<string, string>;
    switches: string[];
    lockData: unknown;
    sandboxed: boolean;
  };
  windows: WindowDouble[];
  shortcuts: ShortcutDouble;
  ipc: Map<string, Handler>;
  schemes: unknown[];
  serve: Map<string, (request: { url: string; method: string }) => Promise<Response>>;
  errorBoxes: string[];
  messages: electronModule.MessageBoxOptions[];
  openDialogs: electronModule.OpenDialogOptions[];
  saveDialogs: electronModule.SaveDialogOptions[];
  /** Menus that came up under the pointer. */
  popups: unknown[];
  opened: string[];
  trayMenus: unknown[];
  notifications: electronModule.NotificationConstructorOptions[];
  session: Record<string, Handler | undefined> & { downloads: Handler[] };
}

export function createElectronDouble({
  lock = true,
  packaged = false,
  switches = [],
  answer = 0,
  chosen,
  safeStorage = new SafeStorageDouble(),
  displays = [],
}: ElectronDoubleOptions = {}): ElectronDouble {
  const windows: WindowDouble[] = [];
  const shortcuts = new ShortcutDouble();
  const ipc = new Map<string, Handler>();
  const schemes: unknown[] = [];
  const serve: ElectronDouble['serve'] = new Map();
  const errorBoxes: string[] = [];
  const messages: electronModule.MessageBoxOptions[] = [];
  const openDialogs: electronModule.OpenDialogOptions[] = [];
  const saveDialogs: electronModule.SaveDialogOptions[] = [];
  const popups: unknown[] = [];
  const opened: string[] = [];
  const trayMenus: unknown[] = [];
  const notifications: ElectronDouble['notifications'] = [];
  const session: ElectronDouble['session'] = Object.assign(Object.create(null) as Record<string, Handler | undefined>, {
    downloads: [] as Handler[],
  });

  const app = appDouble({ lock, packaged, given: switches });

  class Window extends WindowDouble {
    static getAllWindows = (): WindowDouble[] => windows.filter(({ destroyed }) => !destroyed);
    static getFocusedWindow = (): WindowDouble | null => windows.find(({ focused }) => focused) ?? null;
    constructor(options: electronModule.BrowserWindowConstructorOptions) {
      super(options);
      windows.push(this);
      app.emit('web-contents-created', {}, this.webContents);
    }
  }

  const parts = {
    app,
    BrowserWindow: Window,
    desktopCapturer: {
      getSources: async () => displays.map(({ id, image }) => ({ id: `screen:${id}:0`, display_id: String(id), thumbnail: image })),
    },
    dialog: {
      showErrorBox: (title: string, content: string) => void errorBoxes.push(`${title}: ${content}`),
      showMessageBox: async (...given: unknown[]) => {
        messages.push(given.at(-1) as electronModule.MessageBoxOptions);
        return { response: answer };
      },
      showOpenDialog: async (...given: unknown[]) => {
        openDialogs.push(given.at(-1) as electronModule.OpenDialogOptions);
        return { canceled: chosen === undefined, filePaths: chosen === undefined ? [] : [chosen] };
      },
      showSaveDialog: async (...given: unknown[]) => {
        saveDialogs.push(given.at(-1) as electronModule.SaveDialogOptions);
        return { canceled: chosen === undefined, filePath: chosen ?? '' };
      },
    },
    globalShortcut: shortcuts,
    ipcMain: {
      handle: (name: string, handler: Handler) => void ipc.set(name, accept(handler)),
      removeHandler: (name: string) => void ipc.delete(name),
    },
    Menu: {
      buildFromTemplate: (template: MenuDouble[]) => Object.assign(acceptMenu(template), { popup: () => void popups.push(template) }),
      setApplicationMenu: () => {},
    },
    nativeTheme: Object.assign(new EmitterDouble(), { shouldUseDarkColors: false, themeSource: 'system' }),
    Notification: class {
      static isSupported = (): boolean => true;
      readonly #options: electronModule.NotificationConstructorOptions;
      constructor(options: electronModule.NotificationConstructorOptions) {
        this.#options = options;
      }
      show(): void {
        notifications.push(this.#options);
      }
    },
    powerMonitor: new EmitterDouble(),
    protocol: {
      registerSchemesAsPrivileged: (list: unknown[]) => void schemes.push(...list),
      handle: (name: string, handler: (request: { url: string; method: string }) => Promise<Response>) =>
        void serve.set(name, accept(handler)),
    },
    safeStorage,
    screen: Object.assign(new EmitterDouble(), {
      getAllDisplays: () => displays.map(describeDisplay),
      getPrimaryDisplay: () =>
        describeDisplay(
          displays[0] ?? { id: 1, bounds: { x: 0, y: 0, width: 1920, height: 1080 }, scaleFactor: 1, image: new ImageDouble(0, 0) },
        ),
      getCursorScreenPoint: () => ({ x: 0, y: 0 }),
    }),
    session: {
      defaultSession: {
        setPermissionRequestHandler: (handler: Handler) => void (session['permissionRequest'] = accept(handler)),
        setPermissionCheckHandler: (handler: Handler) => void (session['permissionCheck'] = accept(handler)),
        setDevicePermissionHandler: (handler: Handler) => void (session['device'] = accept(handler)),
        setDisplayMediaRequestHandler: (handler: Handler) => void (session['displayMedia'] = accept(handler)),
        setSpellCheckerEnabled: () => {},
        webRequest: { onBeforeRequest: (handler: Handler) => void (session['beforeRequest'] = accept(handler)) },
        on: (_event: string, handler: Handler) => void session.downloads.push(accept(handler)),
      },
    },
    shell: { openExternal: async (url: string) => void opened.push(url), openPath: async () => '' },
    systemPreferences: { getMediaAccessStatus: () => 'granted' },
    Tray: class extends EmitterDouble {
      setToolTip(): void {}
      setContextMenu(menu: unknown): void {
        trayMenus.push(menu);
      }
      destroy(): void {}
    },
    utilityProcess: { fork: (script: string, _args: string[], { env }: { env: Record<string, string> }) => utilityDouble(script, env) },
  };
  return {
    electron: parts as unknown as typeof electronModule,
    app,
    windows,
    shortcuts,
    ipc,
    schemes,
    serve,
    errorBoxes,
    messages,
    openDialogs,
    saveDialogs,
    popups,
    opened,
    trayMenus,
    notifications,
    session,
  };
}

function appDouble({ lock, packaged, given }: { lock: boolean; packaged: boolean; given: readonly string[] }): ElectronDouble['app'] {
  const app = Object.assign(new EmitterDouble(), {
    quits: 0,
    exits: [] as number[],
    paths: new Map<string, string>(),
    switches: [] as string[],
    lockData: undefined as unknown,
    sandboxed: false,
    isPackaged: packaged,
    setName: () => {},
    setPath: (name: string, path: string) => void app.paths.set(name, path),
    enableSandbox: () => void (app.sandboxed = true),
    commandLine: {
      appendSwitch: (name: string) => void app.switches.push(name),
      hasSwitch: (name: string) => given.includes(name),
    },
    requestSingleInstanceLock: (data: unknown) => {
      app.lockData = data;
      return lock;
    },
    whenReady: async () => {},
    getLoginItemSettings: () => ({ wasOpenedAtLogin: false }),
    setLoginItemSettings: () => {},
    setAsDefaultProtocolClient: () => true,
    quit: () => {
      app.quits++;
      let prevented = false;
      app.emit('before-quit', { preventDefault: () => (prevented = true) });
      if (!prevented) app.emit('quit');
    },
    exit: (code: number) => void app.exits.push(code),
  });
  return app;
}

function describeDisplay({ id, bounds, scaleFactor }: NonNullable<ElectronDoubleOptions['displays']>[number]): unknown {
  return { id, label: `Panel ${id}`, bounds, workArea: { ...bounds, height: bounds.height - 40 }, scaleFactor };
}

interface MenuDouble {
  click?: () => void;
  submenu?: MenuDouble[];
}

function acceptMenu(template: MenuDouble[]): MenuDouble[] {
  for (const { click, submenu } of template) {
    if (click) accept(click);
    if (submenu) acceptMenu(submenu);
  }
  return template;
}

/** A forked Node in place of a utility process: the far end speaks the same messages. */
function utilityDouble(script: string, env: NodeJS.ProcessEnv): EmitterDouble {
  const host = forkHost({ entry: script, env });
  const child = Object.assign(new EmitterDouble(), {
    stderr: null,
    postMessage: (message: unknown) => host.send(message),
    kill: () => host.kill(),
  });
  host.onMessage((message) => child.emit('message', message));
  host.onExit(({ code }) => child.emit('exit', code ?? 1));
  return child;
}
