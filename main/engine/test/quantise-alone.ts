import type { Engine } from '../../services/ports.ts';
import { createEngineClient } from '../client.ts';

/** In an engine of its own: its process may write where its first request says, and nowhere else. */
export async function quantiseAlone(request: Parameters<Engine['quantise']>[0]): ReturnType<Engine['quantise']> {
  const engine = createEngineClient();
  try {
    return await engine.quantise(request);
  } finally {
    await engine.close();
  }
}
