import type { Environment } from '../../adapters/environment.ts';
import { connectPostgres } from '../../adapters/postgres.ts';
import type { Temporal } from '../../adapters/temporal.ts';
import type { RelayPhase, RelayProgress, RelayStatus } from '../../core/activityTypes.ts';
import type { Pipeline } from '../../core/definition.ts';
import type { PipelineOutbox } from '../../core/definitionOutbox.ts';
import { messageOf } from '../../core/errors.ts';
import { countSql } from '../../core/outboxSql.ts';

/** What `tidegate status` says of the relay of a pipeline's outboxes; `--json` prints it as it is. */
export interface RelayReport extends Omit<RelayStatus, 'pipeline' | 'phase' | 'since'> {
  phase: RelayPhase | 'not started';
  since: string | null;
  outboxes: OutboxReport[];
}

export interface OutboxReport {
  outbox: string;
  topic: string;
  /** Marked and unmarked rows at the source; null when that does not answer. */
  sent: number | null;
  unsent: number | null;
  /** Rows a second over the last ten seconds. */
  rate: number | null;
  lastSentAt: string | null;
  problem: string | null;
}

/** Asks Temporal about a pipeline's relay, and the source where no relay counts; null for a pipeline without outboxes. */
export async function readRelay(
  { temporal, environment }: { temporal: Temporal; environment: Environment },
  pipeline: Pipeline,
): Promise<RelayReport | null> {
  if (pipeline.outboxes.length === 0) return null;
  const view = await temporal.relay(pipeline.name);
  const beat = view?.work.activities.find(({ type }) => type === 'runRelay')?.heartbeat as RelayProgress | null;
  const outboxes = await Promise.all(
    pipeline.outboxes.map(async (outbox): Promise<OutboxReport> => {
      const progress = beat?.outboxes[outbox.label];
      const counted = progress?.rows ?? (await countRows(environment, outbox));
      return {
        ...{ outbox: outbox.label, topic: outbox.topic, sent: counted.sent, unsent: counted.unsent },
        ...{ rate: progress?.rate ?? null, lastSentAt: progress?.lastSentAt ?? null },
        problem: progress?.problem ?? ('problem' in counted ? counted.problem : null),
      };
    }),
  );
  if (view) {
    const { pipeline: _, ...status } = view.status;
    return { ...status, outboxes };
  }
  const reason = `Start it with: npx tidegate apply ${pipeline.name}`;
  return {
    ...{ phase: 'not started', since: null, reason, lastError: null, retryAt: null, attempts: 0, outboxes },
  };
}

async function countRows(
  environment: Environment,
  outbox: PipelineOutbox,
): Promise<{ sent: number; unsent: number } | { sent: null; unsent: null; problem: string }> {
  try {
    const session = await connectPostgres(environment.url(outbox.url), { applicationName: 'tidegate status' });
    try {
      const { rows } = await session.query<{ sent: string; unsent: string }>(countSql(outbox));
      return { sent: Number(rows[0]!.sent), unsent: Number(rows[0]!.unsent) };
    } finally {
      await session.end();
    }
  } catch (error) {
    return { sent: null, unsent: null, problem: messageOf(error) };
  }
}
