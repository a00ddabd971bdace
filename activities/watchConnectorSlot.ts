import type pg from 'pg';
import { connectPostgres } from '../adapters/postgres.ts';
import type { ConnectorHealth } from '../core/activityTypes.ts';
import { messageOf, TidegateError } from '../core/errors.ts';
import { Patience } from './watchConnectorPatience.ts';

type SlotHealth = NonNullable<ConnectorHealth['slot']>;

const SLOT_SQL = `
  SELECT slot_name AS name, active, coalesce(wal_status, 'lost') AS "walStatus",
    coalesce(pg_wal_lsn_diff(
      CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, restart_lsn
    ), 0)::float8 AS "retainedBytes",
    confirmed_flush_lsn::text AS "confirmedFlushLsn"
  FROM pg_replication_slots WHERE slot_name = $1`;

const QUERY_TIMEOUT_MS = 10_000;

/** Reads a replication slot's health, over one session that is opened again when it is lost. */
export class SlotWatch {
  readonly #url: URL;
  readonly #slot: string;
  readonly #patience = new Patience();
  #client: pg.Client | null = null;

  constructor(captureUrl: URL, slot: string) {
    this.#url = captureUrl;
    this.#slot = slot;
  }

  /** Why the source does not answer, one sentence; null when it does. */
  get problem(): string | null {
    return this.#patience.problem;
  }

  /**
   * Null while the source does not answer.
   * @throws TidegateError SLOT_LOST, ACCESS_DENIED, or SERVICE_UNREACHABLE after a minute.
   */
  async read(): Promise<SlotHealth | null> {
    let slot: SlotHealth | undefined;
    try {
      slot = await this.#query();
      this.#patience.answered();
    } catch (error) {
      await this.close();
      this.#patience.failed(error);
      return null;
    }
    if (!slot) throw slotLost(this.#slot, 'does not exist');
    if (slot.walStatus === 'lost') throw slotLost(this.#slot, 'has lost WAL that it needs');
    return slot;
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => undefined);
  }

  async #query(): Promise<SlotHealth | undefined> {
    this.#client ??= await connectPostgres(this.#url, { applicationName: 'tidegate slot watch' });
    try {
      const query = { text: SLOT_SQL, values: [this.#slot], query_timeout: QUERY_TIMEOUT_MS };
      return (await this.#client.query<SlotHealth>(query)).rows[0];
    } catch (cause) {
      throw new TidegateError('SERVICE_UNREACHABLE', `PostgreSQL broke off: ${messageOf(cause)}`, {
        remedy: 'Check that the source runs and can be reached.',
        cause,
      });
    }
  }
}

function slotLost(slot: string, what: string): TidegateError {
  return new TidegateError('SLOT_LOST', `the replication slot '${slot}' ${what}`, {
    remedy: 'The stream cannot go on where it stopped: a new snapshot is needed.',
  });
}
