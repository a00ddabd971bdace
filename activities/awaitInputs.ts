import { setTimeout as sleep } from 'node:timers/promises';
import { committedOffsets, endOffsets, openKafka } from '../adapters/kafka.ts';
import { CopySessions } from '../adapters/postgresCopySessions.ts';
import type { Pipeline } from '../core/definition.ts';
import type { PipelineMart } from '../core/definitionMarts.ts';
import { messageOf, TidegateError } from '../core/errors.ts';
import { formatLsn } from '../core/lsn.ts';
import { findMart, martInputs } from '../core/martInputs.ts';
import type { AwaitProgress, MergeActivities, Watermark } from '../core/mergeTypes.ts';
import { withHeartbeat } from './copyProgress.ts';
import type { ActivityDeps } from './deps.ts';
import { waitForWatermark } from './watermark.ts';

const POLL_MS = 500;
const AGAIN_MS = 5000;
/** What a stream that is paused, starting or being mended answers; a merge waits for it, however long that takes. */
const PASSING: readonly string[] = ['NOT_STARTED', 'CONNECTOR_FAILED', 'SLOT_LOST', 'SERVICE_UNREACHABLE'];

/** The activity that waits for the inputs of a mart. While it cannot go on, its heartbeat says why. */
export function awaitInputs(deps: ActivityDeps): Pick<MergeActivities, 'awaitInputs'> {
  return {
    async awaitInputs(name, martName): Promise<Watermark> {
      const { pipeline } = deps.definitions.get(name);
      const mart = findMart(pipeline, martName);
      const progress: AwaitProgress = { waitingFor: mart.inputs.join(', '), problem: null };
      return await withHeartbeat(
        () => progress,
        async ({ signal }) => {
          for (;;) {
            try {
              return await reach(deps, { pipeline, mart, signal });
            } catch (error) {
              if (!(error instanceof TidegateError && PASSING.includes(error.code))) throw error;
              progress.problem = messageOf(error);
              await sleep(AGAIN_MS, undefined, { signal });
            }
          }
        },
      );
    },
  };
}

interface Reach {
  pipeline: Pipeline;
  mart: PipelineMart;
  signal: AbortSignal;
}

async function reach(deps: ActivityDeps, { pipeline, mart, signal }: Reach): Promise<Watermark> {
  // Read before any end is: what is in a topic, or committed, by then is below the ends that are waited for.
  const at = new Date().toISOString();
  const inputs = martInputs(pipeline, mart);
  const events = inputs.filter(({ kind }) => kind === 'events').map(({ topic }) => topic);
  const kafka = openKafka(deps.environment);
  const ends = events.length > 0 ? await endOffsets(kafka, events) : new Map<string, bigint>();
  let lsn: string | null = null;
  if (inputs.some(({ kind }) => kind === 'changes')) {
    await using sessions = new CopySessions({
      url: deps.environment.url(pipeline.source.captureUrl),
      applicationName: `tidegate merge ${pipeline.name} ${mart.name}`,
      signal,
    });
    lsn = formatLsn(await waitForWatermark(deps, { pipeline, session: await sessions.open(), signal }));
  }
  const group = pipeline.stream.consumerGroup;
  while (events.length > 0) {
    const committed = await committedOffsets(kafka, { group, topics: events });
    if ([...ends].every(([partition, end]) => (committed.get(partition) ?? 0n) >= end)) break;
    await sleep(POLL_MS, undefined, { signal });
  }
  return { at, lsn };
}
