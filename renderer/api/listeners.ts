import type { EventName, Payload } from '../../main/contract.ts';

export interface Subscriptions {
  /** Returns a function that ends the subscription. */
  on<Name extends EventName>(event: Name, listener: (payload: Payload<Name>) => void): () => void;
  /** Called with every change; see `Transport`. Returns a function that ends the subscription. */
  onConnection(listener: (connected: boolean) => void): () => void;
}

/** Who listens to what. */
export interface Listeners extends Subscriptions {
  tell<Name extends EventName>(event: Name, payload: Payload<Name>): void;
  tellConnection(connected: boolean): void;
}

export function createListeners(): Listeners {
  const byEvent = new Map<EventName, Set<(payload: never) => void>>();
  const ofConnection = new Set<(connected: boolean) => void>();
  return {
    on(event, listener) {
      const known = byEvent.get(event) ?? new Set();
      byEvent.set(event, known);
      known.add(listener);
      return () => known.delete(listener);
    },
    onConnection(listener) {
      ofConnection.add(listener);
      return () => ofConnection.delete(listener);
    },
    tell(event, payload) {
      for (const listener of byEvent.get(event) ?? []) listener(payload as never);
    },
    tellConnection(connected) {
      for (const listener of ofConnection) listener(connected);
    },
  };
}
