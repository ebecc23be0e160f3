/** What carries requests and events between the window and the app: one implementation per host. */
export interface Transport {
  /** Returns the app's reply as it came: `{ok: true, output}` or a failure. Rejects with `RequestFailure` when none can come. */
  request(name: string, input: unknown): Promise<unknown>;
  onEvent(listener: (message: unknown) => void): void;
  /** Called with every change. `true` again after `false`: events were missed meanwhile. */
  onConnection(listener: (connected: boolean) => void): void;
}

/** A request that was not answered as hoped: what happened, and what the reader can do. */
export class RequestFailure extends Error {
  override readonly name = 'RequestFailure';
  readonly code: string;
  readonly nextStep: string;

  constructor(failure: { code: string; message: string; nextStep: string }) {
    super(failure.message);
    this.code = failure.code;
    this.nextStep = failure.nextStep;
  }
}
