import { Client, Connection, ServiceError, WorkflowNotFoundError } from '@temporalio/client';
import type { SupervisorPhase, SupervisorStatus } from '../core/activityTypes.ts';
import { TidegateError } from '../core/errors.ts';
import type { MergeRequest } from '../core/mergeTypes.ts';
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

interface StartOptions {
  workflowId: string;
  queue: keyof typeof TASK_QUEUES;
  args: [pipeline: string, table?: string, request?: MergeRequest];
  summary: string;
}

/** What an operator asks of a running supervisor. */
export type StreamUpdate = 'resync' | 'reconfigure' | 'addTable' | 'removeTable';

/** A changed definition is planned and applied before the answer comes. */
const UPDATE_MS = 60_000;
const CONNECT_MS = 5000;
/** A worker answers within milliseconds; without one, Temporal would let a query wait for long. */
const QUERY_MS = 3000;

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
      ...{ workflowId: workflowIds.reference(pipeline, table), queue: 'batch', args: [pipeline, table] },
      summary: `Load ${pipeline}.${table}`,
    });
  }

  /** Starts the verification of a pipeline, or joins the one that runs. */
  async startVerify(pipeline: string): Promise<string> {
    return await this.#start('verifyPipeline', {
      ...{ workflowId: workflowIds.verify(pipeline), queue: 'batch', args: [pipeline] },
      summary: `Verify ${pipeline}`,
    });
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
      summary: `Merge ${pipeline}.${mart}, ${days ? `${days.from} to ${days.to}` : 'all days that need it'}`,
    });
  }

  async #start(type: string, { workflowId, queue, args, summary }: StartOptions): Promise<string> {
    const [pipeline, table] = args;
    await this.client.workflow.start(type, {
      ...{ workflowId, args, taskQueue: TASK_QUEUES[queue], workflowIdConflictPolicy: 'USE_EXISTING' },
      typedSearchAttributes: searchAttributes({ pipeline, ...(table !== undefined && { table }) }),
      staticSummary: summary,
    });
    return workflowId;
  }

  /** @throws TidegateError NOT_STARTED when the pipeline has no running supervisor. */
  async signalStream(pipeline: string, signal: 'pause' | 'resume'): Promise<void> {
    try {
      await this.client.workflow.getHandle(workflowIds.supervisor(pipeline)).signal(signal);
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
      const ask = () =>
        table === undefined
          ? handle.executeUpdate<T, []>(update)
          : handle.executeUpdate<T, [string]>(update, { args: [table] });
      return await this.#connection.withDeadline(Date.now() + UPDATE_MS, ask);
    } catch (cause) {
      if (cause instanceof WorkflowNotFoundError) throw notStarted(pipeline);
      throw cause;
    }
  }

  /** What is known of a pipeline's stream; null when it was never started, or has been stopped. */
  async stream(pipeline: string): Promise<StreamView | null> {
    const work = await describeWork(this.client, workflowIds.supervisor(pipeline));
    if (work?.status !== 'RUNNING') return null;
    try {
      const handle = this.client.workflow.getHandle(work.workflowId);
      const query = () => handle.query<SupervisorStatus>('status');
      const status = await this.#connection.withDeadline(Date.now() + QUERY_MS, query);
      return { status, work, answered: true };
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      return { status: silentStatus(pipeline, { work, error }), work, answered: false };
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
function silentStatus(pipeline: string, { work, error }: { work: Work; error: ServiceError }): SupervisorStatus {
  const broken = (error.cause as { code?: number } | undefined)?.code === NOT_ASKED;
  return {
    pipeline,
    phase: (work.stage ?? 'preparing') as SupervisorPhase,
    since: work.startedAt.toISOString(),
    reason: broken
      ? "The workers' code cannot go on with this workflow; their log says why."
      : 'No worker answers; start one with: npm run worker',
    ...{ lastError: null, retryAt: null, attempts: 0, definitionHash: null, snapshot: null },
    schema: { changes: [], aside: [] },
    ...{ streamed: [], resyncs: [], resynced: [] },
  };
}
