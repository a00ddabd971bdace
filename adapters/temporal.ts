import {
  Client,
  Connection,
  ServiceError,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowHandle,
  WorkflowNotFoundError,
} from '@temporalio/client';
import type { RelayPhase, RelayStatus, SupervisorPhase, SupervisorStatus } from '../core/activityTypes.ts';
import { TidegateError } from '../core/errors.ts';
import type { KeysRequest, MergeRequest } from '../core/mergeTypes.ts';
import { TASK_QUEUES, workflowIds } from '../core/names.ts';
import { searchAttributes } from '../core/searchAttributes.ts';
import type { Environment } from './environment.ts';
import { connectionOptions, temporalSettings, temporalUnreachable } from './temporalConnection.ts';
import { describeWork, type Work } from './temporalWork.ts';

/** What the supervisor says, with the heartbeats that only a description shows. */
export interface StreamView {
  status: SupervisorStatus;
  work: Work;
  /** False when the workflow did not answer: then only the phase is known, and the reason says why. */
  answered: boolean;
}

/** What the relay of a pipeline's outboxes says, with the heartbeats that only a description shows. */
export interface RelayView {
  status: RelayStatus;
  work: Work;
  /** As in StreamView. */
  answered: boolean;
}

interface StartOptions {
  workflowId: string;
  queue: keyof typeof TASK_QUEUES;
  args: [pipeline: string, ...further: unknown[]];
  table?: string;
  /** What runs under this id already is not joined, but refused. */
  alone?: boolean;
  summary: string;
}

/** What an operator asks of a running supervisor. */
export type StreamUpdate = 'resync' | 'reconfigure' | 'addTable' | 'removeTable';

/** A changed definition is planned and applied before the answer comes. */
const UPDATE_MS = 60_000;
/** Long enough that it is hardly ever needed. */
const WAKE_MS = 5000;
const CONNECT_MS = 5000;
/** A worker answers within milliseconds; without one, Temporal would let a query wait for long. */
const QUERY_MS = 3000;

/**
 * Has a workflow do what an update asks for, and awaits the answer. A server under load was seen to forget the task that
 * brings an update to a worker, until something else happens to the workflow: so something does, now and then.
 */
export async function executeUpdate<T>(
  handle: Pick<WorkflowHandle, 'executeUpdate' | 'signal'>,
  update: StreamUpdate,
  table?: string,
): Promise<T> {
  const waking = setInterval(() => void handle.signal('wake').catch(() => undefined), WAKE_MS);
  try {
    return table === undefined
      ? await handle.executeUpdate<T, []>(update)
      : await handle.executeUpdate<T, [string]>(update, { args: [table] });
  } finally {
    clearInterval(waking);
  }
}

/** A client of Temporal that knows Tidegate's workflows by their ids. Starting is idempotent: what runs is joined. */
export class Temporal {
  readonly client: Client;
  readonly #connection: Connection;

  private constructor(connection: Connection, namespace: string) {
    this.#connection = connection;
    this.client = new Client({ connection, namespace });
  }

  /** @throws TidegateError SERVICE_UNREACHABLE, or INVALID_SETTING when the address is not set. */
  static async connect(environment: Environment): Promise<Temporal> {
    const settings = temporalSettings(environment);
    try {
      const connection = await Connection.connect({ ...connectionOptions(settings), connectTimeout: CONNECT_MS });
      return new Temporal(connection, settings.namespace);
    } catch (cause) {
      throw temporalUnreachable(settings, cause);
    }
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** Starts the supervisor of a pipeline, or leaves the one that runs alone. @returns the workflow's id. */
  async startSupervisor(pipeline: string): Promise<string> {
    return await this.#start('superviseStream', {
      ...{ workflowId: workflowIds.supervisor(pipeline), queue: 'stream', args: [pipeline] },
      summary: `Stream of ${pipeline}`,
    });
  }

  /** Starts the load of a reference table, or joins the one that runs. @param table label of the table. */
  async startLoad(pipeline: string, table: string): Promise<string> {
    return await this.#start('loadReference', {
      ...{ workflowId: workflowIds.reference(pipeline, table), queue: 'batch', args: [pipeline, table], table },
      summary: `Load ${pipeline}.${table}`,
    });
  }

  /**
   * Starts the verification of a pipeline, or joins the one that runs.
   * @throws TidegateError ALREADY_RUNNING when one runs and a repair is wanted, which it may not do.
   */
  async startVerify(pipeline: string, { repair } = { repair: false }): Promise<string> {
    const args: StartOptions['args'] = repair ? [pipeline, { repair }] : [pipeline];
    try {
      return await this.#start('verifyPipeline', {
        ...{ workflowId: workflowIds.verify(pipeline), queue: 'batch', args, alone: repair },
        summary: repair ? `Verify and repair ${pipeline}` : `Verify ${pipeline}`,
      });
    } catch (cause) {
      if (!(cause instanceof WorkflowExecutionAlreadyStartedError)) throw cause;
      throw new TidegateError('ALREADY_RUNNING', `a verification of '${pipeline}' runs`, {
        remedy: 'Start the repair when it has ended.',
        cause,
      });
    }
  }

  /**
   * Starts a merge of a mart, or joins the one of the same days that runs.
   * @param request without `days`: all days that are not merged or dirty, up to yesterday.
   */
  async startMerge(pipeline: string, mart: string, { days }: Pick<MergeRequest, 'days'>): Promise<string> {
    const what = days ? `${days.from}..${days.to}` : 'outstanding';
    return await this.#start('mergeMart', {
      ...{ workflowId: workflowIds.merge(pipeline, mart, what), queue: 'batch' },
      args: days ? [pipeline, mart, { days }] : [pipeline, mart],
      table: mart,
      summary: `Merge ${pipeline}.${mart}, ${days ? `${days.from} to ${days.to}` : 'all days that need it'}`,
    });
  }

  /** Has a mart merged by keys, with all that is committed at the source by now; also when a merge of it runs already. */
  async startKeysMerge(pipeline: string, mart: string, asked: KeysRequest): Promise<string> {
    const workflowId = workflowIds.merge(pipeline, mart, 'keys');
    await this.client.workflow.signalWithStart('mergeMart', {
      ...{ workflowId, args: [pipeline, mart, { keys: true }], taskQueue: TASK_QUEUES.batch },
      ...{ signal: 'mergeKeys', signalArgs: [asked] },
      typedSearchAttributes: searchAttributes({ pipeline, table: mart }),
      staticSummary: `Merge ${pipeline}.${mart} by keys`,
    });
    return workflowId;
  }

  async #start(type: string, options: StartOptions): Promise<string> {
    const { workflowId, queue, args, table, summary, alone } = options;
    const [pipeline] = args;
    const workflowIdConflictPolicy = alone ? 'FAIL' : 'USE_EXISTING';
    await this.client.workflow.start(type, {
      ...{ workflowId, args, taskQueue: TASK_QUEUES[queue], workflowIdConflictPolicy },
      typedSearchAttributes: searchAttributes({ pipeline, ...(table !== undefined && { table }) }),
      staticSummary: summary,
    });
    return workflowId;
  }

  /** Starts the relay of a pipeline's outboxes, or leaves the one that runs alone. @returns the workflow's id. */
  async startRelay(pipeline: string): Promise<string> {
    return await this.#start('relayOutbox', {
      ...{ workflowId: workflowIds.relay(pipeline), queue: 'stream', args: [pipeline] },
      summary: `Outboxes of ${pipeline}`,
    });
  }

  /** @throws TidegateError NOT_STARTED when the pipeline has no running supervisor. */
  async signalStream(pipeline: string, signal: 'pause' | 'resume'): Promise<void> {
    await this.#signal(pipeline, { workflowId: workflowIds.supervisor(pipeline), signal });
  }

  /** @throws TidegateError NOT_STARTED when the pipeline has no running relay. */
  async signalRelay(pipeline: string, signal: 'pause' | 'resume'): Promise<void> {
    await this.#signal(pipeline, { workflowId: workflowIds.relay(pipeline), signal });
  }

  async #signal(pipeline: string, about: { workflowId: string; signal: 'pause' | 'resume' }): Promise<void> {
    try {
      await this.client.workflow.getHandle(about.workflowId).signal(about.signal);
    } catch (cause) {
      if (cause instanceof WorkflowNotFoundError) throw notStarted(pipeline);
      throw cause;
    }
  }

  /**
   * Has a running supervisor do what it answers to.
   * @throws TidegateError NOT_STARTED when there is none; what it refuses is thrown as the client throws it (see failureOf).
   */
  async updateStream<T>(pipeline: string, update: StreamUpdate, table?: string): Promise<T> {
    const handle = this.client.workflow.getHandle(workflowIds.supervisor(pipeline));
    try {
      const ask = () => executeUpdate<T>(handle, update, table);
      return await this.#connection.withDeadline(Date.now() + UPDATE_MS, ask);
    } catch (cause) {
      if (cause instanceof WorkflowNotFoundError) throw notStarted(pipeline);
      throw cause;
    }
  }

  /** What is known of the relay of a pipeline's outboxes; null when it was never started, or has been stopped. */
  async relay(pipeline: string): Promise<RelayView | null> {
    const asked = await this.#ask<RelayStatus>(workflowIds.relay(pipeline));
    if (asked === null || 'status' in asked) return asked && { ...asked, answered: true };
    const { work, error } = asked;
    const silent = { phase: (work.stage ?? 'relaying') as RelayPhase, ...silence(pipeline, { work, error }) };
    return { status: silent, work, answered: false };
  }

  /** What is known of a pipeline's stream; null when it was never started, or has been stopped. */
  async stream(pipeline: string): Promise<StreamView | null> {
    const asked = await this.#ask<SupervisorStatus>(workflowIds.supervisor(pipeline));
    if (asked === null || 'status' in asked) return asked && { ...asked, answered: true };
    return { status: silentStatus(pipeline, asked), work: asked.work, answered: false };
  }

  /** Asks a workflow for its status; null when it does not run. */
  async #ask<T>(workflowId: string): Promise<{ status: T; work: Work } | { error: ServiceError; work: Work } | null> {
    const work = await describeWork(this.client, workflowId);
    if (work?.status !== 'RUNNING') return null;
    try {
      const query = () => this.client.workflow.getHandle(work.workflowId).query<T>('status');
      return { status: await this.#connection.withDeadline(Date.now() + QUERY_MS, query), work };
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      return { error, work };
    }
  }

  /** True when a worker has asked for tasks of the queue during the last minutes. */
  async hasWorkers(queue: keyof typeof TASK_QUEUES): Promise<boolean> {
    const { pollers } = await this.#connection.workflowService.describeTaskQueue({
      namespace: this.client.options.namespace,
      taskQueue: { name: TASK_QUEUES[queue] },
      taskQueueType: 1,
    });
    return (pollers?.length ?? 0) > 0;
  }
}

export function notStarted(pipeline: string): TidegateError {
  return new TidegateError('NOT_STARTED', `the stream of '${pipeline}' has not been started`, {
    remedy: `Start it with: npx tidegate apply ${pipeline}`,
  });
}

/** gRPC's FAILED_PRECONDITION: what the server answers when it does not even try to ask the workflow. */
const NOT_ASKED = 9;

/** Queries need a worker that can run the workflow; the search attributes do not. */
function silentStatus(pipeline: string, about: { work: Work; error: ServiceError }): SupervisorStatus {
  return {
    phase: (about.work.stage ?? 'preparing') as SupervisorPhase,
    ...silence(pipeline, about),
    ...{ definitionHash: null, snapshot: null, schema: { changes: [], aside: [] } },
    ...{ streamed: [], resyncs: [], resynced: [] },
  };
}

function silence(pipeline: string, { work, error }: { work: Work; error: ServiceError }): Omit<RelayStatus, 'phase'> {
  const broken = (error.cause as { code?: number } | undefined)?.code === NOT_ASKED;
  return {
    pipeline,
    since: work.startedAt.toISOString(),
    reason: broken
      ? "The workers' code cannot go on with this workflow; their log says why."
      : 'No worker answers; start one with: npm run worker',
    ...{ lastError: null, retryAt: null, attempts: 0 },
  };
}
