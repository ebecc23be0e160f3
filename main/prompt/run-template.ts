/**
 * Runs a chat template for a bounded time: each step of its evaluation is counted, and so is what a step may go through. Templates come
 * with the model, from strangers.
 */
import * as jinja from '@huggingface/jinja';

/** The largest published ones have 20,000. */
const mostCharacters = 64 * 1024;
/** A turn of Llama's takes about 50 steps; this many take about a second. */
const mostSteps = 1_000_000;
const longestRange = 100_000;
/** Characters, or entries of a list, that go into one step. */
const sizeOfStep = 64;

interface Statement {
  type: string;
  iterable?: Statement;
  operand?: Statement;
  lhs?: Statement;
}
interface Value {
  value: unknown;
}
interface Scope {
  set(name: string, value: unknown): unknown;
}
interface Evaluator {
  run(program: unknown): Value;
  evaluate(statement: Statement | undefined, scope: Scope): Value;
}

/** The library's own types name their files in a way that does not resolve here. */
const { Environment, Interpreter } = jinja as unknown as {
  Environment: new () => Scope;
  Interpreter: new (scope: Scope) => Evaluator;
};

export type RunTemplate = (variables: Record<string, unknown>) => string;

/** Throws, as does what it returns, what is wrong with the template, or an error that says that it does not come to an end. */
export function parseTemplate(source: string): RunTemplate {
  if (source.length > mostCharacters) throw new Error(`it has ${source.length} characters, more than any template needs`);
  const { parsed } = new jinja.Template(source);
  return (variables) => {
    const environment = new Environment();
    for (const [name, value] of Object.entries({ ...globals, ...variables })) environment.set(name, value);
    return String(new BoundedInterpreter(environment).run(parsed).value);
  };
}

class BoundedInterpreter extends Interpreter {
  #steps = 0;
  /** What loops and filters go through entry by entry. */
  readonly #gone = new WeakSet<Statement>();

  override evaluate(statement: Statement | undefined, environment: Scope): Value {
    if (statement) for (const operand of operandsOf(statement)) this.#gone.add(operand);
    this.#count(1);
    const value = super.evaluate(statement, environment);
    const size = sizeOf(value);
    this.#count(statement && this.#gone.has(statement) ? size : Math.floor(size / sizeOfStep));
    return value;
  }

  #count(steps: number): void {
    this.#steps += steps;
    if (this.#steps > mostSteps) throw new Error('it does not come to an end');
  }
}

function operandsOf(statement: Statement): Statement[] {
  const { type, iterable, operand, lhs } = statement;
  const found = type === 'For' ? iterable : type === 'SelectExpression' ? lhs : type === 'FilterExpression' ? operand : undefined;
  // `for x in list if test`: the loop evaluates the list itself.
  const list = found?.type === 'SelectExpression' ? found.lhs : undefined;
  return [found, list].filter((one) => one !== undefined);
}

function sizeOf({ value }: Value): number {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  return value instanceof Map ? value.size : 0;
}

/** As the library's own, except that a range has an end. */
const globals: Record<string, unknown> = {
  ...Object.fromEntries(['true', 'True'].map((name) => [name, true])),
  ...Object.fromEntries(['false', 'False'].map((name) => [name, false])),
  ...Object.fromEntries(['none', 'None'].map((name) => [name, null])),
  raise_exception(message: string) {
    throw new Error(message);
  },
  range,
  strftime_now: (format: string) => new jinja.Template('{{ strftime_now(format) }}').render({ format }),
};

function range(first: number, end?: number, step = 1): number[] {
  const [start, stop] = end === undefined ? [0, first] : [first, end];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= longestRange)) throw new Error(`it counts further than ${longestRange}`);
  return Array.from({ length }, (_, index) => start + index * step);
}
