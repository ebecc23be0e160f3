/**
 * What is loaded in place of what was chosen, where that fails again and again: another device, or a shorter conversation. It stays until
 * something else is chosen, a person has the model loaded again, or Loupe ends; what is said of it reaches the window.
 */
import type { EngineState } from '../contract.ts';
import type { ErrorCode } from '../errors.ts';
import { usualContext } from './models/fit/fit.ts';
import type { Engine } from './ports.ts';

/** Undefined: as the engine does where nothing is asked for. */
export interface Wanted {
  device: string | undefined;
  contextLength: number | undefined;
}

export interface Attempt extends Wanted {
  /** Null: it is what was chosen. */
  instead: EngineState['instead'];
}

type DeviceList = Awaited<ReturnType<Engine['devices']>>;
type Listed = DeviceList[number];
/** Two cards may have one name. */
type Which = Pick<Listed, 'index' | 'name'>;

export interface Trouble {
  code: ErrorCode;
  /** Null: it was not loaded yet. */
  device: Which | null;
  contextLength: number | null;
}

/** `key`: of what was chosen. */
export interface Fallbacks {
  choose(key: string, wanted: Wanted): Promise<Attempt>;
  failed(key: string, trouble: Trouble): void;
  worked(key: string): void;
  /** Returns what a person should know of the device that it was loaded on. */
  loaded(key: string, device: string): EngineState['instead'];
  forget(): void;
}

interface Course {
  /** In a row. */
  failures: number;
  trouble: Trouble | null;
  attempt: Attempt | null;
  /** Devices that failed. */
  avoided: Which[];
  /** Where it was loaded last. */
  device: string | null;
}

/** Once may be chance, as when a computer wakes up; an answer is tried three times, so that the third is helped by this. */
const inARow = 2;
/** As the engine chooses where it may. */
const ranks: Record<Listed['kind'], number> = { discrete: 0, integrated: 1, virtual: 2, cpu: 3, other: 4 };
const counted: readonly ErrorCode[] = ['device_lost', 'engine_crashed', 'device_out_of_memory', 'host_out_of_memory', 'no_device'];
const nextStep = 'To try what you chose, load the model again; Loupe also tries it when it starts.';

export function createFallbacks(engine: Pick<Engine, 'devices'>): Fallbacks {
  const courses = new Map<string, Course>();

  function courseOf(key: string): Course {
    const found = courses.get(key) ?? { failures: 0, trouble: null, attempt: null, avoided: [], device: null };
    courses.set(key, found);
    return found;
  }

  return {
    async choose(key, wanted) {
      const course = courseOf(key);
      const { trouble } = course;
      // A device that is not there will not be there a moment later either.
      if (trouble && course.failures >= (trouble.code === 'no_device' ? 1 : inARow)) {
        course.failures = 0;
        course.attempt = nextAttempt(course, trouble, wanted, await engine.devices().catch((): DeviceList => [])) ?? course.attempt;
      }
      return course.attempt ?? { ...wanted, instead: null };
    },
    failed(key, trouble) {
      if (!counted.includes(trouble.code)) return;
      const course = courseOf(key);
      course.failures++;
      course.trouble = trouble;
    },
    worked(key) {
      courseOf(key).failures = 0;
    },
    loaded(key, device) {
      const course = courseOf(key);
      const before = course.device;
      course.device = device;
      if (course.attempt || course.failures === 0 || before === null || before === device) return course.attempt?.instead ?? null;
      return { message: `${before} is not there any more, so Loupe uses ${device}.`, nextStep };
    },
    forget: () => courses.clear(),
  };
}

/** Null where there is nothing else to try. */
function nextAttempt(course: Course, trouble: Trouble, wanted: Wanted, listed: DeviceList): Attempt | null {
  const suitable = listed.filter(({ suitable }) => suitable).toSorted((a, b) => ranks[a.kind] - ranks[b.kind]);
  const now = course.attempt ?? wanted;
  const failed = trouble.device ?? meant(now.device, suitable);
  const gone = failed === null ? course.avoided : [...course.avoided, failed];
  const others = suitable.filter((device) => !gone.some(({ index, name }) => index === device.index && name === device.name));
  const fails = `${failed?.name ?? 'The device'} ${trouble.code.endsWith('_out_of_memory') ? 'ran out of memory' : 'failed'} twice in a row`;

  const elsewhere = (device: Listed | undefined): Attempt | null => {
    if (!device) return null;
    course.avoided = gone;
    const why = trouble.code === 'no_device' ? `${now.device} is not there` : fails;
    // By its number, since two may have one name.
    return {
      ...wanted,
      device: String(device.index),
      instead: { message: `${why}, so Loupe uses ${device.name === failed?.name ? 'the other one' : device.name}.`, nextStep },
    };
  };
  const shorter = (): Attempt | null => {
    const tokens = trouble.contextLength ?? now.contextLength ?? 0;
    if (tokens <= usualContext || trouble.code === 'no_device') return null;
    const message = `${fails}, so a conversation has room for ${usualContext.toLocaleString('en')} tokens for now.`;
    return { device: now.device, contextLength: usualContext, instead: { message, nextStep } };
  };

  // What is in rank order has the processors last.
  const [device] = others;
  return trouble.code.endsWith('_out_of_memory') ? (shorter() ?? elsewhere(device)) : (elsewhere(device) ?? shorter());
}

/** As the engine understands a choice; null where no such device is there. */
function meant(device: string | undefined, suitable: DeviceList): Which | null {
  if (device === undefined) return suitable[0] ?? null;
  const byIndex = suitable.find(({ index }) => String(index) === device);
  return byIndex ?? suitable.find(({ name }) => name.toLowerCase().includes(device.toLowerCase())) ?? null;
}
