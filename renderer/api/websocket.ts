import { strings } from '../strings.ts';
import { decodeFrame, encodeFrame } from './frames.ts';
import { RequestFailure, type Transport } from './transport.ts';

const firstPause = 250;
const longestPause = 5_000;
/** How long a request made without a connection waits for one, ms. */
const patience = 10_000;

interface Pending {
  frame: string;
  sent: boolean;
  resolve: (reply: unknown) => void;
  reject: (failure: RequestFailure) => void;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * The loopback web host. Reconnects with growing pauses. A request that was sent and not answered
 * when the connection ended fails: whether the app acted on it cannot be known. `key` is that of the session; a page can send it in no
 * other way than as the name of a protocol.
 */
export function websocketTransport(address: string, key: string): Transport {
  const pending = new Map<number, Pending>();
  let eventListener: (message: unknown) => void = () => {};
  let connectionListener: (connected: boolean) => void = () => {};
  let nextId = 1;
  let pause = firstPause;
  let socket = connect();

  // Coming back to the window, or online, is a good moment to try at once.
  for (const wake of ['online', 'focus']) {
    window.addEventListener(wake, () => {
      if (socket.readyState === WebSocket.CLOSED) socket = connect();
    });
  }

  function connect(): WebSocket {
    const opening = new WebSocket(address, ['loupe', `session.${key}`]);
    opening.addEventListener('open', () => {
      pause = firstPause;
      connectionListener(true);
      for (const waiting of pending.values()) send(waiting);
    });
    opening.addEventListener('message', ({ data }) => receive(data));
    opening.addEventListener('close', () => {
      connectionListener(false);
      for (const [id, lost] of pending) if (lost.sent) settle(id, (request) => request.reject(connectionLost()));
      setTimeout(() => {
        if (socket === opening) socket = connect();
      }, pause);
      pause = Math.min(pause * 2, longestPause);
    });
    return opening;
  }

  function send(request: Pending): void {
    if (request.sent || socket.readyState !== WebSocket.OPEN) return;
    clearTimeout(request.timer);
    request.sent = true;
    socket.send(request.frame);
  }

  function settle(id: number, how: (request: Pending) => void): void {
    const request = pending.get(id);
    if (request === undefined) return;
    pending.delete(id);
    clearTimeout(request.timer);
    how(request);
  }

  function receive(data: unknown): void {
    const message = decodeFrame(data);
    if (typeof message !== 'object' || message === null) return;
    if ('event' in message) eventListener(message);
    else if ('id' in message && typeof message.id === 'number') settle(message.id, (request) => request.resolve(message));
  }

  return {
    request: (name, input) =>
      new Promise((resolve, reject) => {
        const id = nextId++;
        const request: Pending = { frame: encodeFrame({ id, name, input }), sent: false, resolve, reject, timer: undefined };
        request.timer = setTimeout(() => settle(id, (late) => late.reject(connectionLost())), patience);
        pending.set(id, request);
        send(request);
      }),
    onEvent(listener) {
      eventListener = listener;
    },
    onConnection(listener) {
      connectionListener = listener;
    },
  };
}

function connectionLost(): RequestFailure {
  return new RequestFailure({ code: 'disconnected', message: strings.failures.disconnected, nextStep: strings.failures.reconnecting });
}
