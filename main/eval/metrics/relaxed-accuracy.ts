/** Of the gold value, by which a number may differ. */
const tolerance = 0.05;

/**
 * 1 or 0, as Masry et al. 2022, "ChartQA", define relaxed accuracy after Methani et al. 2020: a number may be up to 5 % away from
 * the gold value, a text has to equal it, but for case and a full stop at its end. The set writes shares both as 62 and as 0.08, and the
 * papers do not say what a percent sign does: here "62%" is 62 as well as 0.62.
 */
export function relaxedAccuracy(reply: string, answer: string): number {
  const [values, golds] = [valuesOf(reply), valuesOf(answer)];
  const near = golds.some((gold) => values.some((value) => Math.abs(value - gold) <= tolerance * Math.abs(gold) + rounding(gold)));
  return near || tidy(reply) === tidy(answer) ? 1 : 0;
}

/** What binary fractions lose where a value lies on the limit itself, as 1.05 does from 1. */
function rounding(gold: number): number {
  return 4 * Number.EPSILON * Math.abs(gold);
}

/** Commas between thousands, a currency before the number and a percent sign behind it are part of how it is written. */
function valuesOf(text: string): number[] {
  const found = /^[$€£]?\s*([-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?)\s*(%?)$/.exec(text.trim());
  if (!found?.[1] || !/\d/.test(found[1])) return [];
  const value = Number(found[1].replaceAll(',', ''));
  return found[2] === '%' ? [value, value / 100] : [value];
}

function tidy(text: string): string {
  return text.trim().toLowerCase().replace(/\s+/g, ' ').replace(/\.$/, '');
}
