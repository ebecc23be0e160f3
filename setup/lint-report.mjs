// An ESLint formatter: what people read, and beside it which files are clean, for checks.mjs.
import { writeFileSync } from 'node:fs';
import { relative, sep } from 'node:path';

/** @param {import('eslint').ESLint.LintResult[]} results @param {{ cwd: string }} context */
export default function report(results, { cwd }) {
  const path = process.env['LOUPE_LINT_REPORT'];
  const name = (/** @type {string} */ file) => relative(cwd, file).split(sep).join('/');
  const clean = results.filter(({ messages }) => messages.length === 0).map(({ filePath }) => name(filePath));
  if (path) writeFileSync(path, JSON.stringify(clean));
  return results
    .flatMap(({ filePath, messages }) =>
      messages.map(
        ({ line, column, message, ruleId }) => `${name(filePath)}:${line}:${column}  ${message}${ruleId ? `  (${ruleId})` : ''}`,
      ),
    )
    .join('\n');
}
