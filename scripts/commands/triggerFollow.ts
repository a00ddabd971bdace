import type { PendingActivity } from '../../adapters/temporalWork.ts';
import type { CopyProgress, ReferenceResult, VerifyProgress, VerifyReport } from '../../core/activityTypes.ts';
import { TidegateError } from '../../core/errors.ts';
import { failureOf } from '../../core/failures.ts';
import type { AwaitProgress, KeysProgress, MergeProgress } from '../../core/mergeTypes.ts';
import type { CommandContext } from '../context.ts';
import { formatBytes, formatCount } from '../output.ts';

export type Say = (line: string) => void;

/** Starts or joins the load of a reference table and waits for it. @throws an Error with the failure's own line. */
export async function runLoad(
  context: CommandContext,
  { pipeline, table, say }: { pipeline: string; table: string; say: Say },
): Promise<ReferenceResult> {
  const temporal = await context.temporal();
  const { followWork } = await import('../../adapters/temporalWork.ts');
  const workflowId = await temporal.startLoad(pipeline, table);
  const onActivities = newsOf(`${pipeline}.${table}`, say);
  return await orItsReason(followWork<ReferenceResult>(temporal.client, { workflowId, onActivities }));
}

/** Starts or joins the verification of a pipeline and waits for its report, which may say that there is a difference. */
export async function runVerify(
  context: CommandContext,
  { pipeline, say, repair = false }: { pipeline: string; say: Say; repair?: boolean },
): Promise<VerifyReport> {
  const temporal = await context.temporal();
  const { followVerify } = await import('../../adapters/temporalWork.ts');
  const workflowId = await temporal.startVerify(pipeline, { repair });
  return await orItsReason(followVerify(temporal.client, { workflowId, onActivities: newsOf(pipeline, say) }));
}

/** @throws an Error with the failure's own line; a TidegateError as it is. */
export async function orItsReason<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof TidegateError ? error : new Error(failureOf(error).message, { cause: error });
  }
}

/** Turns what is seen of the activities into lines, each said once. */
export function newsOf(name: string, say: Say): (activities: PendingActivity[]) => void {
  let last = '';
  return (activities) => {
    for (const activity of activities) {
      const line = `${name}: ${activityNews(activity)}`;
      if (line !== last) say(line);
      last = line;
    }
  };
}

/** What an activity is doing, from its last heartbeat. */
export function activityNews({ started, attempt, heartbeat, lastFailure }: PendingActivity): string {
  if (!started && lastFailure) return `attempt ${attempt} follows; the one before failed: ${lastFailure.message}`;
  if (!started) return 'waiting for a worker';
  const again = attempt > 1 ? `, attempt ${attempt}` : '';
  if (isVerifying(heartbeat)) return verifyNews(heartbeat) + again;
  if (isMergingKeys(heartbeat)) return keysNews(heartbeat) + again;
  const { tables, step, waitingFor, problem, ...counts } = (heartbeat ?? {}) as Partial<
    CopyProgress & Omit<MergeProgress, 'step'> & AwaitProgress & { step: string }
  >;
  if (waitingFor !== undefined) return `waiting for ${waitingFor}${problem ? `: ${problem}` : ''}${again}`;
  // A resync names its table besides; a merge does not.
  if (tables !== undefined && step?.startsWith('waiting')) return `${step}${again}`;
  if (tables === undefined && step !== undefined) return mergeNews({ step, ...counts } as MergeProgress) + again;
  if (tables === undefined) return `running${again}`;
  return tables.map(copyNews).join(', ') + again;
}

function mergeNews({ step, partition, read, written }: MergeProgress): string {
  const counts = read > 0 ? `: ${formatCount(read)} rows read, ${formatCount(written)} written` : '';
  return `partition ${partition}: ${step}${counts}`;
}

function isMergingKeys(heartbeat: unknown): heartbeat is KeysProgress {
  return heartbeat !== null && typeof heartbeat === 'object' && 'merged' in heartbeat;
}

function keysNews({ mart, step, merged, keys }: KeysProgress): string {
  return `${mart}: ${step}${keys > 0 ? `, ${formatCount(merged)} of ${formatCount(keys)}` : ''}`;
}

function isVerifying(heartbeat: unknown): heartbeat is VerifyProgress {
  return heartbeat !== null && typeof heartbeat === 'object' && 'comparing' in heartbeat;
}

function verifyNews({ comparing, rows, estimatedRows, keys }: VerifyProgress): string {
  if (comparing === null) return 'waiting for the stream';
  const of = estimatedRows >= rows && estimatedRows > 0 ? ` of about ${formatCount(estimatedRows)}` : '';
  const reading = keys > 0 ? `, keys that are read again: ${formatCount(keys)}` : '';
  return `comparing ${comparing}, ${formatCount(rows)}${of} rows${reading}`;
}

function copyNews({ phase, rows, bytes, estimatedRows }: CopyProgress['tables'][number]): string {
  const of = estimatedRows >= rows && estimatedRows > 0 ? ` of about ${formatCount(estimatedRows)}` : '';
  return `${phase} ${formatCount(rows)}${of} rows, ${formatBytes(bytes)}`;
}
