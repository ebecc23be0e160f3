import {
  columnSum,
  doubtsInWords,
  sumInWords,
  type CellState,
  type Extraction,
  type ExtractionCell,
  type ExtractionSummary,
} from '../../main/contract.ts';

const numbers = new Intl.NumberFormat('en');
const days = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });

const states = {
  waiting: 'waiting',
  sure: 'sure',
  unsure: 'unsure',
  missing: 'not there',
  failed: 'failed',
  entered: 'entered by you',
} satisfies Record<CellState, string>;

/** In the order in which they matter. */
const counted: readonly CellState[] = ['waiting', 'unsure', 'failed', 'missing', 'sure', 'entered'];

export const tables = {
  title: 'Tables',
  open: 'Tables',
  hint: 'Take the same fields from many documents. Loupe checks each value against its page and marks what is in doubt.',
  extract: 'Extract to a table',
  make: 'New table',
  none: 'There are no tables yet.',
  noneStep: 'Choose documents and the fields to take from them.',
  noDocuments: 'There are no documents in the library. Add some first.',
  toLibrary: 'Open the library',
  list: 'Tables',
  back: 'All tables',
  about: ({ createdAt, fields, states: counts }: ExtractionSummary) => {
    const cells = Object.values(counts).reduce((sum, count) => sum + count, 0);
    return `${days.format(createdAt)} · ${numbers.format(cells / Math.max(1, fields.length))} × ${fields.length}`;
  },
  /** "12 waiting, 3 unsure, 40 sure". */
  counts: ({ states: counts }: ExtractionSummary) =>
    counted
      .filter((state) => counts[state] > 0)
      .map((state) => `${numbers.format(counts[state])} ${states[state]}`)
      .join(', '),
  running: 'Extracting',
  stop: 'Stop',
  resume: 'Go on',
  again: 'Try the failed ones again',
  actions: (name: string) => `Actions for ${name}`,
  rename: 'Rename',
  name: 'Name of the table',
  remove: 'Remove',
  removeTitle: (name: string) => `Remove ${name}?`,
  removeMessage: 'Its values, and what you entered, will be deleted. This cannot be undone. The documents stay.',
  removeConfirm: 'Remove the table',
  removed: (name: string) => `${name} was removed.`,

  documents: 'Documents',
  chooseAll: (count: number) => `All ${numbers.format(count)} documents`,
  fields: 'Fields',
  fieldsHint: 'Name them as the documents do, as in “Invoice number”.',
  fieldName: (index: number) => `Name of field ${index + 1}`,
  fieldKind: (index: number) => `Kind of field ${index + 1}`,
  kinds: { text: 'Text', number: 'Number', date: 'Date' },
  addField: 'Add a field',
  removeField: (index: number) => `Remove field ${index + 1}`,
  startWith: 'Start with',
  starts: [
    {
      label: 'Invoices',
      fields: [
        { name: 'Vendor', kind: 'text' },
        { name: 'Invoice number', kind: 'text' },
        { name: 'Date', kind: 'date' },
        { name: 'Total', kind: 'number' },
      ],
    },
    {
      label: 'Contracts',
      fields: [
        { name: 'Parties', kind: 'text' },
        { name: 'Start date', kind: 'date' },
        { name: 'Notice period', kind: 'text' },
        { name: 'Governing law', kind: 'text' },
      ],
    },
  ] as const,
  by: 'A row for each',
  byChoices: { document: 'Document', page: 'Page' },
  byHint: 'Choose pages where one file holds many receipts.',
  create: 'Extract',
  cancel: 'Cancel',
  twice: (name: string) => `${name} is named twice.`,

  grid: (name: string) => `Values of ${name}`,
  row: ({ name, page }: Extraction['rows'][number]) => (page === null ? name : `${name}, page ${page}`),
  document: 'Document',
  doubtsFirst: 'Doubts first',
  next: 'Next doubt',
  noDoubts: 'Nothing is in doubt.',
  exportCsv: 'Save as CSV',
  exportJson: 'Save as JSON',
  states,
  cell: ({ value, state }: ExtractionCell) => value ?? (state === 'waiting' ? '…' : state === 'failed' ? 'failed' : '—'),
  /** For those who do not see the mark. */
  cellName: (field: string, { value, state }: ExtractionCell) => `${field}: ${value ?? 'no value'}, ${states[state]}`,
  sums: 'Sum',
  sum: (table: Extraction, field: number) => {
    const sum = columnSum(table, field);
    return sum ? sumInWords(sum) : null;
  },
  chooseCell: 'Choose a value to see where it comes from.',
  doubts: (cell: ExtractionCell) => (cell.failure ? [`${cell.failure.message} ${cell.failure.nextStep}`] : doubtsInWords(cell)),
  explain: ({ state }: ExtractionCell) =>
    ({
      waiting: 'Not asked for yet.',
      sure: 'The page has it, and its picture reads the same.',
      unsure: 'In doubt',
      missing: 'The model says that the document does not have it.',
      failed: 'It could not be asked for',
      entered: 'You entered it or said that it is right.',
    })[state],
  value: 'Value',
  save: 'Save',
  right: 'It is right',
  notThere: 'There is none',
  use: (value: string) => `Use “${value.length > 40 ? `${value.slice(0, 40)}…` : value}”`,
  quoted: (quote: string) => `“${quote}”`,
  placeOn: (page: number) => `Its place on page ${page}`,
  openPage: (page: number) => `Open page ${page}`,
  gone: 'The document was removed from the library, and the words of its page with it.',
};
