/** Numbers of bytes as people read them, the same in the window and on the command line. */
const units = ['kilobyte', 'megabyte', 'gigabyte', 'terabyte'].map((unit) => {
  const format = (digits: number): Intl.NumberFormat =>
    new Intl.NumberFormat('en', { style: 'unit', unit, minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false });
  return { tenths: format(1), whole: format(0) };
});

/** "7.8 GB": decimal units, as disks are sold and file managers count; three digits, or two where one of them is a tenth. */
export function formatBytes(count: number): string {
  if (count < 999.5) return `${Math.round(count)} B`;
  // What rounds to a thousand is one of the next unit.
  const exponent = Math.floor(Math.log10(Number(count.toPrecision(3))) / 3);
  const power = Math.min(units.length, exponent);
  const value = count / 1000 ** power;
  const { tenths, whole } = units[power - 1]!;
  return (value < 99.95 ? tenths : whole).format(value);
}
