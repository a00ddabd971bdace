import type { EventProducer, SendOptions, TrafficOptions } from '../generator.ts';
import { Random } from '../random.ts';

export const TELEMETRY_TOPIC = 'prosthesis.telemetry';
/** Whole days before today, in UTC, that the first load covers. */
export const HISTORY_DAYS = 14;
/** What a prosthesis sends in a day, at the mean. */
export const EVENTS_A_DAY = 36;

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const BATCH = 2000;
const REPORT_MS = 1000;
/** One event in fifty arrives hours after it was recorded: the prosthesis was out of reach of its phone. */
const LATE = 0.02;
const LATEST_HOURS = 40;
/** One in a hundred is sent twice: the first acknowledgement was lost. */
const REPEATED = 0.01;

const MOVEMENTS = ['grip', 'grip', 'grip', 'pinch', 'pinch', 'point', 'open', 'rotate', 'hold'] as const;
const ERRORS = ['E01_ELECTRODE_CONTACT', 'E02_MOTOR_OVERLOAD', 'E03_LOW_VOLTAGE', 'E07_CALIBRATION'] as const;

/** One message of a prosthesis. */
export interface TelemetryEvent {
  event_id: string;
  prosthesis_id: number;
  /** ISO 8601, UTC, milliseconds. */
  recorded_at: string;
  /** Percent. */
  battery: number;
  response_time_ms: number;
  /** Newton; 0 for what is no grip. */
  grip_force: number;
  movement: string;
  error_code: string | null;
}

/** How one wearer lives: when the prosthesis is put on and taken off, how much it is used, how well it works. */
interface Habits {
  on: number;
  off: number;
  activity: number;
  reaction: number;
  strength: number;
  faults: number;
}

/**
 * What all prostheses send in some days, in the order of arrival: late events come hours after their time, some twice.
 * The same arguments give the same events. Memory holds one day's events.
 * @param options.until first moment that is not covered, a UTC midnight in epoch milliseconds.
 */
export function* telemetry(options: {
  prostheses: number;
  seed: number;
  until: number;
  days?: number;
}): Generator<TelemetryEvent> {
  const { prostheses, seed, until, days = HISTORY_DAYS } = options;
  let waiting: { at: number; event: TelemetryEvent }[] = [];
  for (let day = until - days * DAY_MS; day < until; day += DAY_MS) {
    for (let id = 1; id <= prostheses; id++) {
      const random = new Random(mixed(seed, id, day / DAY_MS));
      for (const event of dayOf(id, { day, habits: habitsOf(seed, id), random })) {
        const late = random.chance(LATE) ? random.next() * LATEST_HOURS * HOUR_MS : random.next() * 2000;
        const at = Date.parse(event.recorded_at) + late;
        waiting.push({ at, event });
        if (random.chance(REPEATED)) waiting.push({ at: at + random.next() * HOUR_MS, event });
      }
    }
    waiting.sort((a, b) => a.at - b.at);
    const due = waiting.findIndex(({ at }) => at >= day + DAY_MS);
    for (const { event } of due < 0 ? waiting : waiting.slice(0, due)) yield event;
    waiting = due < 0 ? [] : waiting.slice(due);
  }
  for (const { event } of waiting) yield event;
}

/** A day of one prosthesis: put on in the morning, busiest before noon and in the evening, charged at night. */
function* dayOf(id: number, { day, habits, random }: { day: number; habits: Habits; random: Random }) {
  const weekend = [0, 6].includes(new Date(day).getUTCDay());
  // Now and then it is left at home.
  if (random.chance(weekend ? 0.08 : 0.03)) return;
  const on = habits.on + (weekend ? 1.2 : 0) + random.next() - 0.5;
  const off = Math.min(23.9, habits.off + random.next() - 0.5);
  const wanted = EVENTS_A_DAY * habits.activity * (weekend ? 0.8 : 1) * (0.85 + random.next() * 0.3);
  const battery = 92 + random.next() * 8;
  const drain = (3 + 2.2 * habits.activity) * (0.9 + random.next() * 0.2);
  for (let hour = Math.floor(on); hour < off; hour++) {
    const busy = 0.6 + 0.7 * Math.exp(-((hour - 10.5) ** 2) / 6) + 0.5 * Math.exp(-((hour - 18) ** 2) / 5);
    const count = Math.round((wanted / (off - on)) * busy * (0.6 + random.next() * 0.8) * 1.12);
    const moments = Array.from({ length: count }, () => hour + random.next()).filter((at) => at >= on && at < off);
    for (const at of moments.sort((a, b) => a - b)) {
      const left = Math.max(1, battery - (at - on) * drain);
      yield eventOf(id, { at: day + at * HOUR_MS, battery: left, habits, random });
    }
  }
}

function eventOf(
  id: number,
  { at, battery, habits, random }: { at: number; battery: number; habits: Habits; random: Random },
): TelemetryEvent {
  const movement = random.pick(MOVEMENTS);
  const grips = movement === 'grip' || movement === 'pinch' || movement === 'hold';
  const low = battery < 15;
  return {
    event_id: uuid(random),
    prosthesis_id: id,
    recorded_at: new Date(at).toISOString(),
    battery: Math.round(battery),
    response_time_ms: Math.round(habits.reaction * (0.75 + random.next() ** 3) * (low ? 1.5 : 1)),
    grip_force: grips ? rounded(habits.strength * (0.3 + random.next() * 0.7) * (low ? 0.7 : 1)) : 0,
    movement,
    error_code: random.chance(habits.faults * (low ? 4 : 1)) ? (low ? ERRORS[2] : random.pick(ERRORS)) : null,
  };
}

function habitsOf(seed: number, id: number): Habits {
  const random = new Random(mixed(seed, id, -1));
  return {
    on: 6 + random.next() * 3,
    off: 20 + random.next() * 3,
    activity: 0.5 + random.next(),
    reaction: 70 + random.next() * 60,
    strength: 40 + random.next() * 60,
    faults: 0.002 + random.next() ** 4 * 0.05,
  };
}

/** Sends the days before today, unless as much has been sent already; what a broken run has sent falls onto itself. */
export async function sendHistory(options: SendOptions, prostheses: number): Promise<number> {
  const { events, seed, now, signal, onProgress } = options;
  const until = Math.floor(now / DAY_MS) * DAY_MS;
  let sent = 0;
  let batch: TelemetryEvent[] = [];
  let reportDue = performance.now() + REPORT_MS;
  const flush = async (): Promise<void> => {
    signal?.throwIfAborted();
    await send(events, batch);
    sent += batch.length;
    batch = [];
    if (performance.now() < reportDue) return;
    reportDue = performance.now() + REPORT_MS;
    onProgress?.(`${TELEMETRY_TOPIC}, ${sent.toLocaleString('en')} events`);
  };
  for (const event of telemetry({ prostheses, seed, until })) {
    batch.push(event);
    if (batch.length === BATCH) await flush();
  }
  await flush();
  return sent;
}

/** Sends what random prostheses do right now, some of it late or twice, at the rate of the traffic, until the signal is aborted. */
export async function liveTelemetry(
  options: Pick<TrafficOptions, 'signal' | 'ratePerSecond'> & { events: EventProducer },
  { prostheses, seed }: { prostheses: number; seed: number },
): Promise<void> {
  const { events, signal, ratePerSecond = 20 } = options;
  const random = new Random(seed);
  while (!signal.aborted) {
    const batch = Array.from({ length: Math.ceil(ratePerSecond) }, () => {
      const id = random.between(1, prostheses);
      const battery = 20 + random.next() * 75;
      const late = random.chance(LATE) ? random.next() * LATEST_HOURS * HOUR_MS : random.next() * 1000;
      return eventOf(id, { at: Date.now() - late, battery, habits: habitsOf(seed, id), random });
    });
    await send(
      events,
      batch.flatMap((event) => (random.chance(REPEATED) ? [event, event] : [event])),
    );
    await pause(signal);
  }
}

/** A second, or less when the signal is aborted. */
function pause(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, 1000);
  signal.addEventListener('abort', () => resolve(), { once: true });
  return promise.finally(() => clearTimeout(timer));
}

async function send(events: EventProducer, batch: readonly TelemetryEvent[]): Promise<void> {
  if (batch.length === 0) return;
  const messages = batch.map((event) => ({ key: String(event.prosthesis_id), value: JSON.stringify(event) }));
  await events.send(TELEMETRY_TOPIC, messages);
}

/** A version 4 UUID from the seeded numbers, so that a repeat of the first load repeats its ids. */
function uuid(random: Random): string {
  const hex = Array.from({ length: 4 }, () => Math.floor(random.next() * 2 ** 32))
    .map((part) => part.toString(16).padStart(8, '0'))
    .join('');
  const variant = '89ab'[Number.parseInt(hex[16] as string, 16) & 3];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** One number from three, each of which changes all its bits. */
function mixed(...parts: number[]): number {
  return parts.reduce((state, part) => Math.imul(state ^ (part + 0x9e3779b9), 0x85ebca6b) ^ (state >>> 13), 0x27d4eb2f);
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
