/** Everything in one file, and back. */
export const archive = {
  title: 'Export and import',
  hint:
    'Writes all your conversations, with their pictures, your documents, tables and settings to one ZIP file. Keys, models, private ' +
    'conversations and what you deleted are not in it. The file is not encrypted, even if Loupe’s data is. Importing it, here or on another ' +
    'computer, adds what is missing and changes nothing else.',
  file: 'File',
  fileHint: 'The whole path of a file on this computer. An export does not overwrite a file.',
  example: '/home/you/Documents/loupe.zip',
  export: 'Export everything',
  exportAsking: 'Export everything…',
  import: 'Import',
  importAsking: 'Import…',
  stop: 'Stop',
  working: { export: 'Exporting…', import: 'Importing…' },
};
