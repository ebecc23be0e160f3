/** `loupe documents extract`: fields of documents as a table, as text, CSV or JSON. */
import { columnSum, doubtsInWords, extractionLimits, nameTwice, sumInWords, type Extraction, type ExtractionField } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import type { Extractions } from '../services/extraction/extractions.ts';
import { documentOf, modelOf } from './ask-document.ts';
import { idOf, type LibraryContext } from './library-context.ts';
import { oneOf } from './options.ts';
import { exitCodes, type ExitCode } from './terminal.ts';

export async function extractFromDocuments(context: LibraryContext): Promise<ExitCode> {
  const { values, terminal, named } = context;
  const format = oneOf('--format', values.format ?? (values.json ? 'json' : 'text'), ['text', 'csv', 'json']);
  const by = oneOf('--by', values.by ?? 'document', ['document', 'page']);
  const fields = (values.field ?? []).map(fieldOf);
  const table = values.table === undefined ? null : idOf(values.table);
  if (table === null) refuseIncomplete(named, fields);
  else if (named.length > 0 || fields.length > 0 || values.by !== undefined)
    throw new LoupeError('usage', 'A table has its documents and fields already.', 'Name either --table, or documents and fields.');
  const load = modelOf(context);
  const documents: number[] = [];
  for (const which of named) documents.push(await documentOf(context, which));

  return load(async (engine, loaded) => {
    const progress = progressOf(context);
    const tables = context.tables(engine, loaded, {
      recogniser: context.recogniser()!,
      password: values.password,
      emit: ({ event, payload }) => {
        if (event === 'extraction.cell') progress(tables.open(payload.id));
      },
    });
    const id = table ?? tables.create({ name: fields.map(({ name }) => name).join(', '), fields, by, documents }).id;
    if (table !== null) tables.resume(id);
    await tables.ended(id, terminal.interrupted);
    const filled = tables.open(id);
    print(context, tables, filled, format);
    if (terminal.interrupted.aborted) return exitCodes.interrupted;
    return filled.failure || filled.states.failed > 0 ? exitCodes.failure : exitCodes.ok;
  });
}

/** "Total:number". */
function fieldOf(text: string): ExtractionField {
  const [, name = '', kind = 'text'] = /^(.*?)(?::(text|number|date))?$/su.exec(text) ?? [];
  if (name.trim() === '' || name.length > extractionLimits.fieldName)
    throw new LoupeError(
      'usage',
      `A field has a name of up to ${extractionLimits.fieldName} characters.`,
      'Write it as in: --field "Total:number"',
    );
  return { name: name.trim(), kind: oneOf('--field', kind, ['text', 'number', 'date']) };
}

function refuseIncomplete(named: readonly string[], fields: readonly ExtractionField[]): void {
  const example = 'Write it as in: loupe documents extract invoice.pdf --field Vendor --field "Total:number"';
  if (named.length === 0) throw new LoupeError('usage', 'The documents are missing.', example);
  if (fields.length === 0) throw new LoupeError('usage', 'The fields are missing.', example);
  if (fields.length > extractionLimits.fields)
    throw new LoupeError('usage', `A table has at most ${extractionLimits.fields} fields.`, 'Make two tables.');
  const twice = nameTwice(fields);
  if (twice !== undefined) throw new LoupeError('usage', `The field ${twice} is named twice.`, 'Name each field once.');
}

function progressOf({ terminal, values }: LibraryContext): (table: Extraction) => void {
  return ({ states, rows, fields }) => {
    if (!terminal.errIsTerminal || values.json) return;
    const all = rows.length * fields.length;
    const left = states.waiting;
    terminal.err(left === 0 ? '\r\x1b[K' : `\r\x1b[K${all - left} of ${all} values`);
  };
}

function print({ terminal, line }: LibraryContext, tables: Extractions, table: Extraction, format: 'text' | 'csv' | 'json'): void {
  const { id, fields, rows, states, failure } = table;
  if (format === 'text') {
    for (const { name, page, cells } of rows) {
      line(page === null ? name : `${name}, page ${page}`);
      for (const [index, cell] of cells.entries()) {
        const said = cell.state === 'waiting' ? 'not asked for yet' : (cell.value ?? (cell.state === 'failed' ? 'failed' : 'not there'));
        const mark = cell.state === 'unsure' ? '  (unsure)' : '';
        line(`  ${fields[index]!.name}: ${said}${mark}`);
        const doubts = cell.failure ? [`${cell.failure.message} ${cell.failure.nextStep}`] : doubtsInWords(cell);
        for (const doubt of doubts) line(`      ${doubt}`);
      }
    }
    for (const index of fields.keys()) {
      const sum = columnSum(table, index);
      if (sum) line(`${fields[index]!.name}: ${sumInWords(sum)}`);
    }
    line(`Kept as table ${id}.`);
  } else terminal.out(tables.export(id, format).text);
  if (failure) terminal.err(`loupe: ${failure.message}\n${failure.nextStep}\n`);
  if (states.waiting > 0) terminal.err(`loupe: ${states.waiting} still wait. Go on with: loupe documents extract --table ${id}\n`);
}
