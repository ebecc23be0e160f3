import { strings } from '../strings.ts';

export interface NumberRule {
  least: number;
  most: number;
  whole?: boolean;
  /** An empty field means null. */
  optional?: boolean;
  /** The least itself is excluded. */
  above?: boolean;
}

export type Parsed = { ok: true; value: number | null } | { ok: false; problem: string };

/** What was typed as a number, or why it is none, in words. A decimal comma is understood. */
export function parseNumber(typed: string, rule: NumberRule): Parsed {
  const text = strings.settings;
  const trimmed = typed.trim();
  if (trimmed === '') return rule.optional ? { ok: true, value: null } : { ok: false, problem: text.needed };
  // In a whole number a comma groups digits, else it is a decimal comma.
  const grouped = rule.whole && /^\d{1,3}([,\s]\d{3})+$/.test(trimmed) ? trimmed.replace(/[,\s]/g, '') : trimmed.replace(',', '.');
  if (!/^-?\d+(\.\d*)?$|^-?\.\d+$/.test(grouped)) return { ok: false, problem: text.notANumber(trimmed) };
  const value = Number(grouped);
  if (rule.whole && !Number.isInteger(value)) return { ok: false, problem: text.notWhole };
  if (rule.above && value === rule.least) return { ok: false, problem: text.aboveZero };
  if (value < rule.least || value > rule.most)
    return { ok: false, problem: text.outOfRange(rule.least.toLocaleString('en'), rule.most.toLocaleString('en')) };
  return { ok: true, value };
}
