/** Whether the desktop shows the tray, as it was when it was last asked: a window that closes cannot wait for the answer. */
export interface TrayPresence {
  /** False until there is an answer: a window hidden into no tray would be gone. */
  isShown(): boolean;
  /** Asks again; never rejects. */
  look(): Promise<void>;
}

export function createTrayPresence(ask: () => Promise<boolean>): TrayPresence {
  let shown = false;
  return {
    isShown: () => shown,
    async look() {
      shown = await ask().catch(() => false);
    },
  };
}
