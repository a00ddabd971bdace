import type { Connect, ConnectorStatus } from '../adapters/connect.ts';
import type { ConnectorHealth } from '../core/activityTypes.ts';
import { TidegateError } from '../core/errors.ts';
import { Patience } from './watchConnectorPatience.ts';
import { RestartPolicy } from './watchConnectorRestarts.ts';

type KeptHealth = Omit<ConnectorHealth, 'slot' | 'checkedAt'>;

/** Keeps one connector existing, configured and running. */
export class ConnectorKeeper {
  readonly #connect: Connect;
  readonly #connector: string;
  readonly #config: Record<string, string>;
  readonly #patience = new Patience();
  readonly #restarts = new RestartPolicy();

  constructor(options: { connect: Connect; connector: string; config: Record<string, string> }) {
    this.#connect = options.connect;
    this.#connector = options.connector;
    this.#config = options.config;
  }

  /**
   * Looks once and puts right what can be put right. A connector deleted behind our back is created again and goes on
   * where it was, since Kafka Connect keeps its position and PostgreSQL its slot.
   * @param slot what the source said just before; null while it is away: then nothing is created or restarted, in vain.
   * @throws TidegateError CONNECTOR_FAILED when its task fails again and again, SERVICE_UNREACHABLE after a minute.
   */
  async tend(slot: { active: boolean } | null): Promise<KeptHealth> {
    let status: ConnectorStatus | null = null;
    try {
      const configured = slot !== null && (await this.#configure(slot.active));
      status = await this.#connect.status(this.#connector);
      if (status && configured) await this.#revive(status);
      this.#patience.answered();
    } catch (error) {
      this.#patience.failed(error);
    }
    const failure = status && failureIn(status);
    return {
      connector: this.#connector,
      state: this.#patience.problem ? 'UNREACHABLE' : (status?.state ?? 'UNASSIGNED'),
      tasks: status?.tasks ?? [],
      restarts: this.#restarts.count,
      problem: this.#patience.problem ?? (failure && `The connector failed and is restarted: ${failure}`),
    };
  }

  /**
   * False while the connector does not have its configuration. What reads the slot under the one before may leave out a
   * table of this one, so that has ended when this one is given: whoever sees it there can rely on that.
   */
  async #configure(slotActive: boolean): Promise<boolean> {
    const present = await this.#connect.config(this.#connector);
    if (present !== null && isConfig(present, { connector: this.#connector, config: this.#config })) return true;
    if (present !== null) await this.#connect.stop(this.#connector);
    if (present !== null && slotActive) return false;
    await this.#connect.putConfig(this.#connector, this.#config);
    return true;
  }

  async #revive(status: ConnectorStatus): Promise<void> {
    if (status.state === 'STOPPED' || status.state === 'PAUSED') await this.#connect.resume(this.#connector);
    const failure = failureIn(status);
    if (failure === null) return;
    const decision = this.#restarts.decide(Date.now());
    if (decision === 'give up') {
      throw new TidegateError('CONNECTOR_FAILED', `connector '${this.#connector}' keeps failing: ${failure}`, {
        remedy: 'Put right what it names; the log of Kafka Connect has the whole trace.',
      });
    }
    if (decision === 'restart') await this.#connect.restartFailed(this.#connector);
  }
}

/** The first line of why the connector or a task of it failed; null when none did. */
function failureIn(status: ConnectorStatus): string | null {
  const failed = [status, ...status.tasks].find((part) => part.state === 'FAILED');
  if (!failed) return null;
  return failed.trace?.split('\n', 1)[0] || 'no trace';
}

/** True when a connector's configuration, as Kafka Connect gives it, is the wanted one. */
export function isConfig(
  present: Record<string, string>,
  { connector, config }: { connector: string; config: Record<string, string> },
): boolean {
  const wanted: Record<string, string> = { name: connector, ...config };
  const keys = Object.keys(present);
  return keys.length === Object.keys(wanted).length && keys.every((key) => present[key] === wanted[key]);
}
