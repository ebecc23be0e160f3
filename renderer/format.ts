/** Numbers as people say them. */
export { formatBytes as bytes } from '../main/contract.ts';

/** "340 ms", "2.4 s", "1 min 12 s". */
export function seconds(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const whole = Math.round(ms / 1_000);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

const time = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const day = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' });
const dayAndYear = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', year: 'numeric' });

/** "14:05" today, "Mar 3" this year, else with the year; nothing for what is not a time. */
export function when(at: number, now = Date.now()): string {
  const then = new Date(at);
  if (Number.isNaN(then.getTime())) return '';
  const today = new Date(now);
  if (then.toDateString() === today.toDateString()) return time.format(then);
  return (then.getFullYear() === today.getFullYear() ? day : dayAndYear).format(then);
}

/** For machines; undefined for what is not a time. */
export function isoTime(at: number): string | undefined {
  const then = new Date(at);
  return Number.isNaN(then.getTime()) ? undefined : then.toISOString();
}

/** "less than a minute", "12 min", "1 h 5 min". */
export function roughTime(seconds: number): string {
  if (seconds < 60) return 'less than a minute';
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** "less than a minute", "about 12 min". */
export function aboutTime(seconds: number): string {
  return seconds < 60 ? roughTime(seconds) : `about ${roughTime(seconds)}`;
}

export function timeLeft(seconds: number): string {
  return `${roughTime(seconds)} left`;
}
