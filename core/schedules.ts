import { type Pipeline, referenceTables } from './definition.ts';
import { scheduleIds } from './names.ts';

/** Argument of the workflow that a schedule starts. */
export type ScheduledWork =
  | { kind: 'reference'; pipeline: string; table: string }
  | { kind: 'verify'; pipeline: string }
  | { kind: 'merge'; pipeline: string; mart: string }
  /** Of a mart by keys. */
  | { kind: 'refresh'; pipeline: string; mart: string };

/** A schedule as the definitions want it. */
export interface WantedSchedule {
  id: string;
  /** Five fields, in UTC; or `@every 60s`. */
  cron: string;
  work: ScheduledWork;
  /** For a person reading the list of schedules. */
  note: string;
}

/** A schedule as the server has it. */
export interface ExistingSchedule {
  id: string;
  /** True when it carries Tidegate's mark; others are never touched. */
  ours: boolean;
  /** The pipeline that it is for; null when its work does not say. */
  pipeline: string | null;
  /** Everything of it that wanted schedules decide, as `fingerprint` writes it. */
  fingerprint: string;
  paused: boolean;
}

export interface ScheduleChanges {
  create: WantedSchedule[];
  update: WantedSchedule[];
  unchanged: WantedSchedule[];
  /** Ours, but no definition wants them any more. */
  orphans: ExistingSchedule[];
  /** Wanted under an id that somebody else's schedule has. */
  taken: WantedSchedule[];
}

/** The label of the one table or mart that the work is about; undefined when it is about a whole pipeline. */
export function subjectOf(work: ScheduledWork): string | undefined {
  if (work.kind === 'verify') return undefined;
  return work.kind === 'reference' ? work.table : work.mart;
}

/** What a schedule's text begins with that has an interval. */
export const EVERY = '@every ';

/** When every pipeline is verified, in UTC: after the default time of reference loads. */
const VERIFY_CRON = '30 4 * * *';

/** One schedule for each reference table and each mart, and one a pipeline that verifies it. */
export function wantedSchedules(pipelines: readonly Pipeline[]): WantedSchedule[] {
  return pipelines.flatMap((pipeline) => {
    const { name } = pipeline;
    const loads = referenceTables(pipeline).map(({ label, schedule }): WantedSchedule => {
      const work: ScheduledWork = { kind: 'reference', pipeline: name, table: label };
      return { id: scheduleIds.reference(name, label), cron: schedule!, work, note: `Loads ${name}.${label} whole` };
    });
    const merges = pipeline.marts.map(({ name: mart, schedule }): WantedSchedule => {
      const work: ScheduledWork = { kind: 'merge', pipeline: name, mart };
      return {
        id: scheduleIds.merge(name, mart),
        cron: schedule,
        work,
        note: `Merges ${name}.${mart} for the day before`,
      };
    });
    const refreshes = pipeline.keyedMarts.flatMap(({ name: mart, refreshSeconds }): WantedSchedule[] => {
      if (refreshSeconds === null) return [];
      const work: ScheduledWork = { kind: 'refresh', pipeline: name, mart };
      const cron = `${EVERY}${refreshSeconds}s`;
      return [{ id: scheduleIds.merge(name, mart), cron, work, note: `Merges ${name}.${mart} by keys` }];
    });
    const verify: WantedSchedule = {
      id: scheduleIds.verify(name),
      cron: VERIFY_CRON,
      work: { kind: 'verify', pipeline: name },
      note: `Compares ${name} with its source`,
    };
    return [...loads, ...merges, ...refreshes, verify];
  });
}

/** Two schedules with the same fingerprint do the same thing. An operator's pause and note are no part of it. */
export function fingerprint(parts: { cron: string; work: unknown; policy: SchedulePolicy }): string {
  const { cron, policy } = parts;
  const work = Object.entries((parts.work ?? {}) as Record<string, unknown>).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([cron, work, policy.overlap, policy.catchupMs]);
}

export interface SchedulePolicy {
  overlap: string;
  /** How late a start that the server missed may still be made up for, in milliseconds. */
  catchupMs: number;
}

/** A start is skipped while the one before still runs; after an outage, one of the last hour is made up for. */
export const SCHEDULE_POLICY = { overlap: 'SKIP', catchupMs: 3_600_000 } as const satisfies SchedulePolicy;

/**
 * Each merge is about a day of its own, and those of one partition wait for each other by themselves: so none is skipped,
 * and a backfill starts one for every day.
 */
const MERGE_POLICY = { overlap: 'ALLOW_ALL', catchupMs: 86_400_000 } as const satisfies SchedulePolicy;

/** The next refresh does what a missed one would have done. */
const REFRESH_POLICY = { overlap: 'SKIP', catchupMs: 10_000 } as const satisfies SchedulePolicy;

export function policyOf({ kind }: ScheduledWork): { overlap: 'SKIP' | 'ALLOW_ALL'; catchupMs: number } {
  if (kind === 'refresh') return REFRESH_POLICY;
  return kind === 'merge' ? MERGE_POLICY : SCHEDULE_POLICY;
}

/** Compares what is wanted with what there is. Each list keeps the order of its input. */
export function diffSchedules(
  wanted: readonly WantedSchedule[],
  existing: readonly ExistingSchedule[],
): ScheduleChanges {
  const byId = new Map(existing.map((each) => [each.id, each]));
  const wantedIds = new Set(wanted.map(({ id }) => id));
  const changes: ScheduleChanges = { create: [], update: [], unchanged: [], orphans: [], taken: [] };
  for (const each of wanted) {
    const found = byId.get(each.id);
    const same = found?.fingerprint === fingerprint({ ...each, policy: policyOf(each.work) });
    if (!found) changes.create.push(each);
    else if (!found.ours) changes.taken.push(each);
    else changes[same ? 'unchanged' : 'update'].push(each);
  }
  changes.orphans = existing.filter(({ id, ours }) => ours && !wantedIds.has(id));
  return changes;
}
