import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, TidegateError } from '../core/errors.ts';
import type { Environment } from './environment.ts';

/** What Kafka Connect says about a connector. States: RUNNING, PAUSED, STOPPED, UNASSIGNED, RESTARTING, FAILED. */
export interface ConnectorStatus {
  name: string;
  state: string;
  /** Why the connector itself (not a task) failed. */
  trace: string | null;
  tasks: { id: number; state: string; trace: string | null }[];
}

/** How long a worker may rebalance, or a connector take to stop, before that is an error. */
const PATIENCE_MS = 30_000;
const REQUEST_TIMEOUT_MS = 15_000;

/**
 * The REST interface of Kafka Connect. Methods throw TidegateError SERVICE_UNREACHABLE when it does not answer (or is
 * rebalancing for longer than half a minute), ACCESS_DENIED when it refuses the user, and CONNECTOR_FAILED when it
 * refuses the request itself.
 */
export class Connect {
  readonly #base: URL;
  readonly #authorization: string | null;

  private constructor(url: URL) {
    const { username, password } = url;
    const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    this.#authorization = username ? `Basic ${Buffer.from(pair).toString('base64')}` : null;
    this.#base = new URL(url);
    this.#base.username = '';
    this.#base.password = '';
  }

  /** @throws TidegateError INVALID_SETTING when CONNECT_URL is missing or not a URL. */
  static from(environment: Environment): Connect {
    return new Connect(environment.url('CONNECT_URL'));
  }

  /** Classes and versions of the connector plugins that are installed. */
  async plugins(): Promise<{ class: string; version: string }[]> {
    return (await this.#request('GET', '/connector-plugins')) as { class: string; version: string }[];
  }

  /** Names of all connectors. */
  async names(): Promise<string[]> {
    return (await this.#request('GET', '/connectors')) as string[];
  }

  /** Null when there is no such connector, or when it has just been created and has no status yet. */
  async status(name: string): Promise<ConnectorStatus | null> {
    type Part = { state: string; trace?: string };
    const found = await this.#request('GET', `${connectorPath(name)}/status`, { missing: null });
    if (found === null) return null;
    const { connector, tasks } = found as { connector: Part; tasks: (Part & { id: number })[] };
    return {
      name,
      state: connector.state,
      trace: connector.trace ?? null,
      tasks: tasks.map(({ id, state, trace }) => ({ id, state, trace: trace ?? null })),
    };
  }

  /** The connector's configuration as it is stored (it includes `name`); null when there is no such connector. */
  async config(name: string): Promise<Record<string, string> | null> {
    const found = await this.#request('GET', `${connectorPath(name)}/config`, { missing: null });
    return found as Record<string, string> | null;
  }

  /** Creates the connector or replaces its configuration. An existing connector keeps its state (running, stopped). */
  async putConfig(name: string, config: Record<string, string>): Promise<void> {
    await this.#request('PUT', `${connectorPath(name)}/config`, { body: config });
  }

  /** Creates the connector without starting it; one that exists is stopped and given this configuration. */
  async createStopped(name: string, config: Record<string, string>): Promise<void> {
    if ((await this.config(name)) === null) {
      await this.#request('POST', '/connectors', { body: { name, config, initial_state: 'STOPPED' } });
    } else {
      await this.stop(name);
      await this.putConfig(name, config);
    }
    await this.#waitUntilStopped(name);
  }

  /** Stops the connector, keeping its configuration and offsets, and waits until its tasks are gone. */
  async stop(name: string): Promise<void> {
    await this.#request('PUT', `${connectorPath(name)}/stop`);
    await this.#waitUntilStopped(name);
  }

  /** Starts a stopped or paused connector. Returns before it runs. */
  async resume(name: string): Promise<void> {
    await this.#request('PUT', `${connectorPath(name)}/resume`);
  }

  /** Forgets the source position. The connector must be stopped; nothing happens when there is none. */
  async deleteOffsets(name: string): Promise<void> {
    await this.#request('DELETE', `${connectorPath(name)}/offsets`, { missing: null });
  }

  /** Restarts the connector and those of its tasks that have failed. */
  async restartFailed(name: string): Promise<void> {
    await this.#request('POST', `${connectorPath(name)}/restart?includeTasks=true&onlyFailed=true`);
  }

  /** Deletes the connector; its offsets stay, so that one created again under this name goes on where it was. */
  async delete(name: string): Promise<void> {
    await this.#request('DELETE', connectorPath(name), { missing: null });
  }

  async #waitUntilStopped(name: string): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const status = await this.status(name);
      if (status?.state === 'STOPPED' && status.tasks.length === 0) return;
      if (Date.now() > deadline) {
        throw new TidegateError(
          'CONNECTOR_FAILED',
          `connector '${name}' did not stop (${status?.state ?? 'no status'})`,
          {
            remedy: 'Look at the log of Kafka Connect.',
          },
        );
      }
      await sleep(100);
    }
  }

  /** `missing`: what to return for 404, instead of an error. A worker that is rebalancing answers 409: asked again. */
  async #request(method: string, path: string, options: { body?: unknown; missing?: null } = {}): Promise<unknown> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const response = await this.#send(method, path, options.body);
      const text = await response.text();
      if (response.ok) return text === '' ? null : JSON.parse(text);
      if (response.status === 404 && options.missing === null && isAnswer(text)) return null;
      const rebalancing = response.status === 409 && /rebalanc/i.test(text);
      if (!rebalancing || Date.now() > deadline) throw refusal(`${method} ${path}`, response.status, text);
      await sleep(250);
    }
  }

  async #send(method: string, path: string, body: unknown): Promise<Response> {
    const headers: Record<string, string> = { Accept: 'application/json' };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (this.#authorization) headers['Authorization'] = this.#authorization;
    try {
      return await fetch(new URL(path, this.#base), {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
    } catch (error) {
      // fetch says 'fetch failed' and puts what happened into the cause.
      const reason = messageOf(error instanceof Error && error.cause ? error.cause : error);
      throw new TidegateError('SERVICE_UNREACHABLE', `Kafka Connect does not answer at ${this.#base.host}: ${reason}`, {
        remedy: 'Check that Kafka Connect runs and that CONNECT_URL is right.',
        cause: error,
      });
    }
  }
}

function connectorPath(name: string): string {
  return `/connectors/${encodeURIComponent(name)}`;
}

function refusal(request: string, status: number, text: string): TidegateError {
  const what = `Kafka Connect answered ${status} to ${request}: ${reasonIn(text)}`;
  if (status === 401 || status === 403) {
    return new TidegateError('ACCESS_DENIED', what, { remedy: 'Check the user and the password in CONNECT_URL.' });
  }
  if (status === 409 || status >= 500 || (status === 404 && !isAnswer(text))) {
    return new TidegateError('SERVICE_UNREACHABLE', what, { remedy: 'Look at the log of Kafka Connect.' });
  }
  return new TidegateError('CONNECTOR_FAILED', what, {
    remedy: 'Correct what it names, in the pipeline or at the source.',
  });
}

/** Whether Kafka Connect itself says what is wrong: while it starts, its server knows no path at all. */
function isAnswer(text: string): boolean {
  return text.includes('error_code');
}

function reasonIn(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: string };
    return message ?? text;
  } catch {
    return text.slice(0, 300);
  }
}
