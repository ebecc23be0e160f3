/** A model with one input and one output, run on the processor by ONNX Runtime. */
import type * as ort from 'onnxruntime-node';

export interface Model {
  /** Keeps the thread that calls it busy until it is done. */
  run(input: Float32Array, shape: number[]): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Rejects where the library or the file is missing: the library is native, and a part of the installation that can be. */
export async function openModel(path: string, { threads }: { threads: number }): Promise<Model> {
  const runtime = await import('onnxruntime-node');
  const session = await runtime.InferenceSession.create(path, sessionOptions(threads));
  return {
    async run(input, shape) {
      const outputs = await session.run({ [session.inputNames[0]!]: new runtime.Tensor('float32', input, shape) });
      return outputs[session.outputNames[0]!]!.data as Float32Array;
    },
    close: () => session.release(),
  };
}

/**
 * The arena keeps what a run took for the next: a tenth faster, and 700 MB at most for a screen of 8 megapixels. Threads that spin
 * while they wait for work would take the processor from everybody else.
 */
const sessionOptions = (threads: number): ort.InferenceSession.SessionOptions => ({
  executionProviders: ['cpu'],
  executionMode: 'sequential',
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  enableCpuMemArena: true,
  enableMemPattern: false,
  logSeverityLevel: 4,
  extra: { session: { intra_op: { allow_spinning: '0' } } },
});
