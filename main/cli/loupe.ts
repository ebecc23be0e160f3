#!/usr/bin/env node
import { text } from 'node:stream/consumers';
import { createDocumentReader } from '../documents/document-client.ts';
import { createEngineClient } from '../engine/client.ts';
import { createPictureWorker } from '../image/picture-client.ts';
import { createTextRecogniser } from '../ocr/ocr-client.ts';
import type { Engine, PictureWorker } from '../services/ports.ts';
import { hiddenPrompt, unlockForCommand } from './passphrase.ts';
import { runLoupe } from './run.ts';
import { exitCodes, loupeVersion, withoutCommands } from './terminal.ts';

// What Loupe writes is its owner's alone.
process.umask(0o077);
const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The second Ctrl-C is for an engine that does not listen.
    if (interrupt.signal.aborted) process.exit(exitCodes.interrupted);
    interrupt.abort();
  });
}
// The reader of a pipe may leave early, as `head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(exitCodes.ok);
});

const startEngine = (pictures: PictureWorker, cacheDirectory: string): Engine => createEngineClient({ pictures, cacheDirectory });
/** Asks for the passphrase of an encrypted folder before it is opened. */
const unlock = (directory: string): Promise<void> =>
  unlockForCommand(directory, {
    environment: process.env,
    prompt: process.stdin.isTTY && process.stderr.isTTY ? hiddenPrompt(process.stdin, process.stderr) : null,
  });

const errIsTerminal = process.stderr.isTTY === true;
process.exitCode = await runLoupe(process.argv.slice(2), {
  // Files and other programs get every character as it is.
  out: (chunk) => void process.stdout.write(process.stdout.isTTY ? withoutCommands(chunk) : chunk),
  err: (chunk) => void process.stderr.write(errIsTerminal ? withoutCommands(chunk, { mayRedraw: true }) : chunk),
  errIsTerminal,
  inputIsTerminal: process.stdin.isTTY === true,
  readInput: () => text(process.stdin),
  input: () => process.stdin,
  startEngine: () => createEngineClient(),
  startPictures: () => createPictureWorker(),
  startOcr: () => createTextRecogniser(),
  startDocuments: () => createDocumentReader(),
  openModels: async (options) => {
    await unlock(options.dataDirectory);
    return (await import('../model-services.ts')).openModelServices(options, () => createEngineClient());
  },
  openDocuments: async (options) => {
    await unlock(options.dataDirectory);
    return (await import('../document-services.ts')).openDocumentServices(options);
  },
  openArchives: async (options) => {
    await unlock(options.dataDirectory);
    return (await import('../archive-services.ts')).openArchiveServices(options);
  },
  startWeb: async (options) => {
    // Commands that keep nothing open no database.
    const { serve } = await import('../web/serve.ts');
    const served = await serve({ ...options, startEngine, version: loupeVersion() });
    const { problem, open, close } = served;
    return { link: () => served.host.link(), problem, open, close };
  },
  startApi: async (options) => {
    await unlock(options.dataDirectory);
    const { serveApi } = await import('../api/serve.ts');
    return serveApi({ ...options, startEngine, version: loupeVersion() });
  },
  callTool: async (...given) => (await import('../api/call.ts')).callTool(...given),
  interrupted: interrupt.signal,
});
