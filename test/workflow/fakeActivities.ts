import { setTimeout as delay } from 'node:timers/promises';
import { CancelledFailure, Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { withHeartbeat } from '../../activities/copyProgress.ts';
import { refuseToEndUnasked } from '../../activities/runStreamEnding.ts';
import type {
  SchemaReport,
  SnapshotResult,
  StreamPreparation,
  StreamProgress,
  VerifyReport,
} from '../../core/activityTypes.ts';
import { daysBetween, partitionOf } from '../../core/days.ts';
import { ERROR_CATALOGUE, type ErrorCode } from '../../core/errors.ts';
import type { Activities } from './namespace.ts';

/** How the activities of one pipeline behave; tests replace what they force. */
export class FakePipeline {
  /** What happened, in order: `runStream starts`, `runStream flushed`. */
  readonly events: string[] = [];
  slot = false;
  /** Whether its mart is merged by keys. */
  byKeys = false;
  schema: SchemaReport = { changes: [], aside: [] };
  hash = 'hash';
  tables = ['things'];
  resync: StreamPreparation['resync'] = [];
  /** Thrown by the next calls of an activity, first first. */
  readonly faults: Partial<Record<keyof Activities, Error[]>> = {};
  /** Makes the running stream or watch fail. */
  readonly breakers: Partial<Record<keyof Activities, (error: Error) => void>> = {};
  report: VerifyReport | undefined;
  /** Copies and merges are held back until it resolves. */
  copies: Promise<void> = Promise.resolve();
  /** A watch that is to end goes on until it resolves. */
  watchEnds: Promise<void> = Promise.resolve();
  /** Days that no merge or not the last event has reached. */
  outstanding: string[] = [];
  /** How long after they are planned days may be merged; milliseconds. */
  readyInMs = -86_400_000;

  count(event: string): number {
    return this.events.filter((each) => each === event).length;
  }

  fail(activity: keyof Activities, ...errors: Error[]): void {
    this.faults[activity] = [...(this.faults[activity] ?? []), ...errors];
  }

  begin(activity: keyof Activities): void {
    this.events.push(`${activity} starts`);
    const fault = this.faults[activity]?.shift();
    if (fault) throw fault;
  }

  /** Heartbeats until copies and merges are let go. */
  async held(): Promise<void> {
    await withHeartbeat(
      () => undefined,
      () => this.copies,
    );
  }

  /** Heartbeats until copies are let go; fails when it is cancelled. */
  async copied(activity: keyof Activities, heartbeat: unknown): Promise<void> {
    const context = Context.current();
    const beat = setInterval(() => context.heartbeat(heartbeat), 250);
    try {
      await Promise.race([this.copies, context.cancelled]);
    } catch (error) {
      this.events.push(`${activity} cancelled`);
      throw error;
    } finally {
      clearInterval(beat);
    }
  }

  /** Heartbeats until it is cancelled or broken. */
  async last(activity: keyof Activities, heartbeat: unknown): Promise<void> {
    const context = Context.current();
    const beat = setInterval(() => context.heartbeat(heartbeat), 250);
    const broken = new Promise<never>((_, reject) => {
      this.breakers[activity] = reject;
    });
    try {
      context.heartbeat(heartbeat);
      await Promise.race([context.cancelled, broken]);
    } catch (error) {
      if (!(error instanceof CancelledFailure)) throw error;
    } finally {
      clearInterval(beat);
    }
  }
}

/** A failure as createActivities makes it of a TidegateError. */
export function typedFailure(code: ErrorCode, message = 'forced by the test', details: unknown[] = []) {
  const nonRetryable = !ERROR_CATALOGUE[code].retryable;
  return ApplicationFailure.create({ type: code, message: `${code}: ${message}. Do this.`, nonRetryable, details });
}

/** Activities that do nothing but what their pipeline's fake says; a pipeline appears when it is first asked for. */
export class FakeActivities {
  readonly #pipelines = new Map<string, FakePipeline>();

  pipeline(name: string): FakePipeline {
    const found = this.#pipelines.get(name) ?? new FakePipeline();
    this.#pipelines.set(name, found);
    return found;
  }

  get activities(): Activities {
    const of = (name: string) => this.pipeline(name);
    return {
      async prepareStream(name): Promise<StreamPreparation> {
        of(name).begin('prepareStream');
        const snapshotNeeded = !of(name).slot;
        return {
          definitionHash: of(name).hash,
          snapshotNeeded,
          reason: 'there is no slot',
          tables: of(name).tables,
          resync: of(name).resync,
          drifted: [],
          schema: of(name).schema,
        };
      },
      async evolveTables(name, reports): Promise<SchemaReport> {
        of(name).begin('evolveTables');
        const changes = reports.map(({ table, columns }) => ({
          table,
          change: columns.join(),
          at: '2025-01-31T00:00:00Z',
        }));
        of(name).schema = { changes, aside: [] };
        return of(name).schema;
      },
      async copySnapshot(name): Promise<SnapshotResult> {
        of(name).begin('copySnapshot');
        await of(name).held();
        of(name).slot = true;
        return { lsn: '0/1', slot: 'slot', tables: [{ table: 'things', rows: 3, bytes: 30 }], seconds: 0.5 };
      },
      async resyncTable(name, table) {
        of(name).begin('resyncTable');
        await of(name).copied('resyncTable', { tables: [], startedAt: new Date().toISOString(), step: 'copying' });
        of(name).resync = of(name).resync.filter((each) => each.table !== table);
        return { table, lsn: '0/5', rows: 3, bytes: 30, seconds: 0.1 };
      },
      async runStream(name): Promise<StreamProgress> {
        of(name).begin('runStream');
        const progress = { tables: {}, offsets: {}, problem: null, startedAt: new Date().toISOString() };
        await of(name).last('runStream', progress);
        // A last flush that takes a while shows who waits for it.
        await delay(200);
        of(name).events.push('runStream flushed');
        refuseToEndUnasked(Context.current().cancellationSignal);
        return progress;
      },
      async watchConnector(name) {
        of(name).begin('watchConnector');
        const health = { connector: name, state: 'RUNNING', tasks: [], restarts: 0, problem: null };
        await of(name).last('watchConnector', health);
        await of(name).watchEnds;
        of(name).events.push('watchConnector ended');
        refuseToEndUnasked(Context.current().cancellationSignal);
        return { ...health, slot: null, checkedAt: new Date().toISOString() };
      },
      async runRelay(name) {
        of(name).begin('runRelay');
        const progress = { outboxes: {}, startedAt: new Date().toISOString() };
        await of(name).last('runRelay', progress);
        of(name).events.push('runRelay ended');
        refuseToEndUnasked(Context.current().cancellationSignal);
        return progress;
      },
      async copyReference(name, table) {
        of(name).begin('copyReference');
        const tables = [{ table, phase: 'copying' as const, rows: 1, bytes: 10, estimatedRows: 3 }];
        await of(name).copied('copyReference', { tables, startedAt: new Date().toISOString() });
        return { table, rows: 3, bytes: 30, seconds: 0.1 };
      },
      async awaitInputs(name) {
        of(name).begin('awaitInputs');
        return { at: new Date().toISOString(), lsn: '0/2' };
      },
      async planMerge(name, _mart, { days, outstandingUpTo }) {
        of(name).begin('planMerge');
        const readyAt = new Date(Date.now() + of(name).readyInMs).toISOString();
        const more = outstandingUpTo === undefined ? [] : of(name).outstanding;
        const parts = partsOf([...new Set([...(days ? daysBetween(days) : []), ...more])].sort());
        return { definitionHash: 'hash', byKeys: of(name).byKeys, parts: parts.map((part) => ({ ...part, readyAt })) };
      },
      async mergeDays(name, _mart, { partition, days }) {
        of(name).begin('mergeDays');
        await of(name).held();
        of(name).events.push(`merged ${days.map(({ day }) => day).join(' ')}`);
        return { partition, days: days.map(({ day }) => day), rows: days.length, seconds: 0.1 };
      },
      async mergeKeys(name, mart, { rebuild }) {
        of(name).begin('mergeKeys');
        await of(name).held();
        of(name).events.push(`merged keys of ${mart}${rebuild ? ', all' : ''}`);
        const followers = mart === 'keyed' ? ['following'] : [];
        const rebuilt = rebuild ? 'it was asked for' : null;
        return { mart, keys: 2, rows: 3, rebuilt, waiting: null, followers, seconds: 0.1 };
      },
      async verifyTables(name) {
        of(name).begin('verifyTables');
        await of(name).held();
        return of(name).report ?? { pipeline: name, lsn: '0/2', ok: true, tables: [], seconds: 0.1 };
      },
    };
  }
}

function partsOf(days: readonly string[]): { partition: string; days: string[] }[] {
  const byPartition = Map.groupBy(days, (day) => partitionOf(day, 'month'));
  return [...byPartition].map(([partition, found]) => ({ partition, days: found }));
}
