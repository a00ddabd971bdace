import type pg from 'pg';

/**
 * What every shipped system offers besides its definition: a source with realistic data, and live traffic on it. Each
 * `pipelines/<name>/generator.ts` exports one of these as `generator`, so that whoever starts pipelines needs to know
 * nothing about any of them.
 */
export interface SourceGenerator {
  /** Name of the source database that `npm start` has it create. */
  database: string;
  /**
   * Creates database, roles and tables where they are missing, and fills the tables if they are empty. The same seed and
   * size give the same bytes in the CSV files, which stay in the folder.
   */
  create(options: CreateOptions): Promise<CreatedSource>;
  /**
   * Sends the events of the days before today to the pipeline's event topics, which exist; only for systems that have such
   * topics. Sends the same events, by their ids, however often it is called on one day.
   * @returns how many were sent.
   */
  sendEvents?(options: SendOptions): Promise<number>;
  /**
   * Changes rows as a working system would, until the signal is aborted; then returns what was done. Waits for a
   * PostgreSQL that is away.
   * @throws TidegateError ACCESS_DENIED or SOURCE_NOT_READY, and any error of PostgreSQL that does not pass by itself.
   */
  traffic(options: TrafficOptions): Promise<TrafficProgress>;
}

/** Opens a session that the caller ends; fails with a TidegateError. */
export type OpenSession = (url: URL) => Promise<pg.Client>;

export interface CreateOptions {
  open: OpenSession;
  /** URL of a superuser on the server; its database is only used to create another. */
  admin: URL;
  /** Name of the source database; its owner is `<database>_owner`. */
  database: string;
  ownerPassword: string;
  /** Password of the role `debezium`, which all source databases of a server share. */
  capturePassword: string;
  /** Where the CSV files go; made if it is missing. */
  folder: string;
  /** An unsigned 32-bit integer. */
  seed: number;
  /** Rows of the largest table; the others follow from it. */
  rows?: number;
  /** Gets plain lines for a person. */
  onProgress?: (line: string) => void;
  signal?: AbortSignal;
}

export interface CreatedSource {
  /** Settings that the pipeline's definition names: the source's URLs. */
  env: Record<string, string>;
  /** False when there was data already. */
  generated: boolean;
  /** Rows in the source by table. */
  rows: Record<string, number>;
  /** People who may log in to the local reports; none unless given. */
  accounts?: Account[];
}

/** Somebody who may log in to the local reports. */
export interface Account {
  username: string;
  /** What tokens say of them. */
  claims: Readonly<Record<string, string>>;
}

/** Sends JSON events as devices and services do. */
export interface EventProducer {
  /** Returns when the brokers have acknowledged all. Values of one key keep their order. */
  send(topic: string, events: readonly { key: string; value: string }[]): Promise<void>;
}

export interface SendOptions {
  events: EventProducer;
  /** An unsigned 32-bit integer. */
  seed: number;
  /** As given to `create`. */
  rows?: number;
  /** Epoch milliseconds; the events end with the day before. */
  now: number;
  /** Gets plain lines for a person. */
  onProgress?: (line: string) => void;
  signal?: AbortSignal;
}

export interface TrafficOptions {
  open: OpenSession;
  /** URL of a role that may write the source's tables. */
  url: URL;
  /** Where events go; without it there are none. */
  events?: EventProducer;
  /** As given to `create`. */
  rows?: number;
  /** Transactions a second; default 20. */
  ratePerSecond?: number;
  /** An unsigned 32-bit integer; by default another one each time. */
  seed?: number;
  signal: AbortSignal;
  /** Called about once a second, and when the connection comes or goes. */
  onProgress?: (progress: TrafficProgress) => void;
}

/** Rows changed, counted as PostgreSQL reports them. */
export interface RowChanges {
  inserted: number;
  updated: number;
  deleted: number;
}

/** Totals since the traffic began. */
export interface TrafficProgress extends RowChanges {
  transactions: number;
  /** False while PostgreSQL is away. */
  connected: boolean;
}
