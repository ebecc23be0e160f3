/** Numbers as people say them. */
const units = ['B', 'kB', 'MB', 'GB', 'TB'];

/** "7.8 GB": decimal units, as disks are sold. */
export function inBytes(count: number): string {
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3));
  const value = count / 1000 ** power;
  return `${value.toFixed(power === 0 || value >= 100 ? 0 : 1)} ${units[power]}`;
}

/** Of seconds: "40 s", "3 min", "2 h 5 min". */
export function inTime(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
