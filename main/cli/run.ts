/** Arguments -> command -> exit code. */
import { LoupeError, usualNextSteps } from '../errors.ts';
import { api, apiHelp } from './api.ts';
import { exportAll, exportHelp, importAll, importHelp } from './archive.ts';
import { ask, askHelp } from './ask.ts';
import { bench, benchHelp } from './bench.ts';
import { documents, documentsHelp } from './documents.ts';
import { evalHelp, evaluate } from './eval.ts';
import { doctor, doctorHelp } from './doctor.ts';
import { mcp, mcpHelp } from './mcp.ts';
import { models, modelsHelp } from './models.ts';
import { passphraseHelp } from './passphrase.ts';
import { serve, serveHelp } from './serve.ts';
import { exitCodes, loupeVersion, reportFailure, type ExitCode, type Terminal } from './terminal.ts';
import { text, textHelp } from './text.ts';
import { tokenize, tokenizeHelp } from './tokenize.ts';
import { trace, traceHelp } from './trace.ts';

interface Command {
  run(args: string[], terminal: Terminal): Promise<ExitCode>;
  summary: string;
  help: string;
}

const commands: Record<string, Command> = {
  ask: { run: ask, summary: 'ask a question, about a picture or not', help: askHelp },
  serve: { run: serve, summary: 'open the app in a browser on this machine', help: serveHelp },
  api: { run: api, summary: 'answer other programs on this machine', help: apiHelp },
  mcp: { run: mcp, summary: 'give tools to an assistant that speaks MCP', help: mcpHelp },
  text: { run: text, summary: 'read the text in pictures', help: textHelp },
  documents: { run: documents, summary: 'read PDFs, scans and pictures page by page', help: documentsHelp },
  export: { run: exportAll, summary: 'write all that Loupe keeps to one file', help: exportHelp },
  import: { run: importAll, summary: 'add what is in such a file', help: importHelp },
  models: { run: models, summary: 'find, download, check and remove models', help: modelsHelp },
  doctor: { run: doctor, summary: 'examine graphics devices and test the engine on one', help: doctorHelp },
  bench: { run: bench, summary: 'measure how fast a model is on this machine', help: benchHelp },
  eval: { run: evaluate, summary: 'count what a model gets right, in published sets or about documents', help: evalHelp },
  trace: { run: trace, summary: 'write what the model computes to a file', help: traceHelp },
  tokenize: { run: tokenize, summary: 'turn text into tokens', help: tokenizeHelp },
};

export async function runLoupe(args: string[], terminal: Terminal): Promise<ExitCode> {
  const json = args.includes('--json');
  try {
    const [name, ...rest] = args;
    if (name === undefined) throw new LoupeError('usage', 'The command is missing.', knownCommands());
    if (name === '--help' || name === '-h' || name === 'help') return say(terminal, help());
    if (name === '--version') return say(terminal, `loupe ${loupeVersion()}\n`);
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!command) throw new LoupeError('usage', `There is no command "${name}".`, knownCommands());
    if (rest.includes('--help') || rest.includes('-h')) return say(terminal, command.help);
    return await command.run(rest, terminal).catch((error: unknown) => {
      throw withHelpOf(name, error);
    });
  } catch (error) {
    return reportFailure(terminal, error, json);
  }
}

function knownCommands(): string {
  return `Known: ${Object.keys(commands).join(', ')}. \`loupe --help\` says what each does.`;
}

/** Where nothing better is said, the help of the command, not that of all. */
function withHelpOf(name: string, error: unknown): unknown {
  if (!(error instanceof LoupeError) || error.code !== 'usage' || error.nextStep !== usualNextSteps.usage) return error;
  return new LoupeError('usage', error.message, `See \`loupe ${name} --help\`.`, { cause: error });
}

function say(terminal: Terminal, text: string): ExitCode {
  terminal.out(text);
  return exitCodes.ok;
}

function help(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`);
  return (
    `loupe COMMAND [options]\n\n${lines.join('\n')}\n\n  loupe COMMAND --help lists the options of a command, ` +
    `loupe --version prints the version.\n\n${passphraseHelp}`
  );
}
