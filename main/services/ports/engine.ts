/** The engine: one model, which answers. What it can be asked is in `protocol.ts`. */
import type { ErrorCode } from '../../errors.ts';
import type { EngineRequests, KernelValues, Result } from '../../protocol.ts';

export type {
  AnswerStage,
  Body,
  ChatMessage,
  ChatPart,
  EngineSettings,
  KernelValues,
  GenerateReply,
  LoadedModel,
  ModelPlace,
  Result,
  SamplingAdvice,
  Score,
} from '../../protocol.ts';

/** What a measurement found, of one device with one driver. */
export interface KernelRecord {
  device: string;
  driver: string;
  /** Empty where a measurement was begun and not ended: it is not begun again by itself. */
  values: KernelValues;
  times: Result<'kernels'>['times'];
  /** When it ended, as ISO 8601; null where it did not. */
  measured: string | null;
}

/** Those of this version of Loupe. Another version, device or driver is measured anew. */
export interface KernelRecords {
  find(device: string, driver: string): KernelRecord | null;
  /** In place of an earlier one. Where it cannot be kept, nothing happens: it is measured again some day. */
  keep(record: KernelRecord): void;
  forget(device: string, driver: string): void;
}

/** What a question needs: of an engine here, or of a server. */
export type AnsweringEngine = Pick<EngineRequests, 'generate' | 'countTokens'>;

/** A request that a dying engine took with it. */
export interface EngineLoss {
  requestId: number;
  kind: string;
  code: Extract<ErrorCode, 'engine_crashed' | 'device_lost'>;
  /** "exit code 3" or "signal SIGKILL". */
  exit: string;
}

/**
 * One model at a time, one request at a time. Every method rejects with `LoupeError`; after `engine_crashed` the next request
 * starts a fresh engine and loads the last model again. An aborted request rejects with `cancelled` unless it says otherwise,
 * and none takes for ever: an engine that hangs is ended and counts as crashed.
 */
export interface Engine extends EngineRequests {
  onLost(listener: (loss: EngineLoss) => void): void;
  /** Ends the engine; pending requests reject with `cancelled`. */
  close(): Promise<void>;
}
