import type pg from 'pg';
import { connectPostgres } from '../adapters/postgres.ts';
import type { TableVerification } from '../core/activityTypes.ts';
import { type EventSides, eventSides, type OutboxRange, type WrittenRow } from '../core/canonicalEvents.ts';
import type { Pipeline } from '../core/definition.ts';
import type { PipelineEvent } from '../core/definitionEvents.ts';
import type { PipelineOutbox } from '../core/definitionOutbox.ts';
import { chIdentifier, chTable } from '../core/identifiers.ts';
import type { Difference } from '../core/tableDiff.ts';
import type { ActivityDeps } from './deps.ts';
import { waitForOutbox } from './outboxWatermark.ts';
import { waitForEvents } from './watermark.ts';

/** How many keys a report lists. */
const MAX_DIFFERENCES = 20;
/** Rows of an outbox that are compared at once: their ids stand in the text of a query. */
const RANGE_ROWS = 5000;
const QUERY_BYTES = 8_000_000;

interface Verification {
  pipeline: Pipeline;
  event: PipelineEvent;
  signal: AbortSignal;
  /** How long relay and stream may stand still. */
  patienceMs?: number;
}

/**
 * Checks an event topic once what is in it now has landed. Events that an outbox sends are compared with its marked rows,
 * by id and value; what the outbox no longer has is not asked for. Of others, no source says what they should be: each must
 * be there once.
 */
export async function verifyEvents(deps: ActivityDeps, verification: Verification): Promise<TableVerification> {
  const { pipeline, event } = verification;
  const started = performance.now();
  const outbox = pipeline.outboxes.find((each) => each.event === event.label);
  const compared = outbox ? await compareOutbox(deps, verification, outbox) : await eachOnce(deps, verification);
  return {
    ...{ table: event.label, load: 'events', notCompared: null, ...compared },
    ...{ unsettled: 0, repaired: { keys: 0, shown: [] } },
    ...{ equal: compared.differences.length === 0, deadLetters: 0, seconds: (performance.now() - started) / 1000 },
  };
}

type Compared = Pick<TableVerification, 'sourceRows' | 'targetRows' | 'differences'>;

async function eachOnce(deps: ActivityDeps, verification: Verification): Promise<Compared> {
  const { pipeline, event, signal } = verification;
  await waitForEvents(deps, { ...verification, events: [event.label] });
  const view = chTable({ database: pipeline.database, name: event.currentView });
  const key = event.key.map(chIdentifier);
  const repeated = await deps.clickhouse.rows<{ key: string }>(
    `SELECT toJSONString([${key.map((name) => `toString(${name})`).join(', ')}]) AS key FROM ${view} ` +
      `GROUP BY ${key.join(', ')} HAVING count() > 1 LIMIT ${MAX_DIFFERENCES}`,
    { signal },
  );
  const differences = repeated.map((each): Difference => ({ ...each, kind: 'extra' }));
  return { sourceRows: null, targetRows: await countEvents(deps, verification), differences };
}

async function compareOutbox(
  deps: ActivityDeps,
  verification: Verification,
  outbox: PipelineOutbox,
): Promise<Compared> {
  const { pipeline, event } = verification;
  const url = deps.environment.url(outbox.url);
  const session = await connectPostgres(url, { applicationName: `tidegate verify ${pipeline.name}` });
  try {
    const idType = await waitForOutbox(deps, { ...verification, outbox, session });
    await waitForEvents(deps, { ...verification, events: [event.label] });
    const sides = eventSides({ database: pipeline.database, event, outbox, idType });
    const compared = await compareRanges(deps, { verification, session, sides });
    return { ...compared, targetRows: await countEvents(deps, verification) };
  } finally {
    await session.end();
  }
}

async function compareRanges(
  deps: ActivityDeps,
  about: { verification: Verification; session: pg.Client; sides: EventSides },
): Promise<{ sourceRows: number; differences: Difference[] }> {
  const { verification, session, sides } = about;
  const { event, signal } = verification;
  const differences: Difference[] = [];
  let sourceRows = 0;
  for (let after: string | null = null; differences.length < MAX_DIFFERENCES; ) {
    signal.throwIfAborted();
    const upto: string | undefined = (await session.query<{ upto: string }>(sides.next(after, RANGE_ROWS))).rows[0]
      ?.upto;
    if (upto === undefined) break;
    const range: OutboxRange = { after, upto };
    const source = (await session.query<WrittenRow>(sides.postgres(range))).rows;
    const look = async () => differing(source, await readEvents(deps, { sides, source, signal }));
    const first = await look();
    if (first.length > 0) {
      // What has been marked since the wait may not have landed yet.
      await waitForEvents(deps, { ...verification, events: [event.label] });
      const known = new Set(first.map(({ key, kind }) => `${kind} ${key}`));
      differences.push(...(await look()).filter(({ key, kind }) => known.has(`${kind} ${key}`)));
    }
    sourceRows += source.length;
    after = upto;
  }
  return { sourceRows, differences: differences.slice(0, MAX_DIFFERENCES) };
}

/** Rows whose event is missing or another. */
function differing(source: readonly WrittenRow[], events: readonly WrittenRow[]): Difference[] {
  const landed = new Map(events.map(({ _tidegate_key: key, _tidegate_hash: hash }) => [key, hash]));
  return source
    .filter(({ _tidegate_key: key, _tidegate_hash: hash }) => landed.get(key) !== hash)
    .map(({ _tidegate_key: key }) => ({ key, kind: landed.has(key) ? 'different' : 'missing' }));
}

async function readEvents(
  { clickhouse }: ActivityDeps,
  { sides, source, signal }: { sides: EventSides; source: readonly WrittenRow[]; signal: AbortSignal },
): Promise<WrittenRow[]> {
  const ids = source.map(({ _tidegate_key: key }) => (JSON.parse(key) as [string])[0]);
  return await clickhouse.rows<WrittenRow>(sides.clickhouse(ids), {
    signal,
    settings: { max_query_size: QUERY_BYTES, max_ast_elements: 10 * RANGE_ROWS },
  });
}

async function countEvents({ clickhouse }: ActivityDeps, { pipeline, event, signal }: Verification): Promise<number> {
  const view = chTable({ database: pipeline.database, name: event.currentView });
  const [counted] = await clickhouse.rows<{ rows: string }>(`SELECT count() AS rows FROM ${view}`, { signal });
  return Number(counted!.rows);
}
