import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { Temporal } from '../adapters/temporal.ts';
import type { Pipeline } from '../core/definition.ts';
import type { PipelineOutbox } from '../core/definitionOutbox.ts';
import { TidegateError } from '../core/errors.ts';
import { idTypeSql, waitingSql } from '../core/outboxSql.ts';
import type { ActivityDeps } from './deps.ts';
import { ASK_MS, PATIENCE_MS, POLL_MS, Progress } from './watermark.ts';

/**
 * Waits until the rows that are in an outbox now have been sent and marked.
 * @param options.patienceMs how long the relay may stand still before that is an error.
 * @returns the type of the outbox's id, as PostgreSQL writes it.
 * @throws TidegateError SOURCE_NOT_READY; STREAM_PAUSED when rows wait for a relay that is paused, NOT_STARTED when they
 * wait for another reason.
 */
export async function waitForOutbox(
  deps: ActivityDeps,
  options: { pipeline: Pipeline; outbox: PipelineOutbox; session: pg.Client; signal: AbortSignal; patienceMs?: number },
): Promise<string> {
  const { pipeline, outbox, session, signal, patienceMs = PATIENCE_MS } = options;
  const [found] = (await session.query<{ type: string }>(idTypeSql(outbox))).rows;
  if (!found) {
    throw new TidegateError('SOURCE_NOT_READY', `the source has no table ${outbox.label} with a column ${outbox.id}`, {
      remedy: `Run 'npx tidegate plan ${pipeline.name}', which says what mends it.`,
    });
  }
  const ask = async (upto: string | null) => {
    const sql = waitingSql(outbox, upto === null ? null : { id: upto, type: found.type });
    return (await session.query<{ waiting: string; last: string | null }>(sql)).rows[0]!;
  };
  const { last } = await ask(null);
  const patience = new Progress(patienceMs);
  let askedAt = Number.NEGATIVE_INFINITY;
  while (last !== null) {
    const waiting = BigInt((await ask(last)).waiting);
    if (waiting === 0n) break;
    if (performance.now() - askedAt > ASK_MS) {
      await refusePaused(deps, { pipeline, waiting });
      askedAt = performance.now();
    }
    if (patience.exhausted(waiting)) {
      const what = `the relay of '${pipeline.name}' does not run, or stands still: ${waiting} rows of ${outbox.label} wait`;
      throw new TidegateError('NOT_STARTED', what, {
        remedy: `Run 'npx tidegate status ${pipeline.name}' to see why.`,
      });
    }
    await sleep(POLL_MS, undefined, { signal });
  }
  return found.type;
}

async function refusePaused(deps: ActivityDeps, about: { pipeline: Pipeline; waiting: bigint }): Promise<void> {
  const { name } = about.pipeline;
  const temporal = await Temporal.connect(deps.environment).catch(() => null);
  const view = await temporal?.relay(name).catch(() => null);
  await temporal?.close();
  if (view?.status.phase !== 'paused') return;
  throw new TidegateError(
    'STREAM_PAUSED',
    `the relay of '${name}' is paused, and rows wait in its outbox: ${about.waiting}`,
    {
      remedy: `Resume it ('npx tidegate resume ${name} --outbox'), or compare once it is to go on.`,
    },
  );
}
