import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { ClickHouse } from '../../adapters/clickhouse.ts';
import { loadEnvironment } from '../../adapters/environment.ts';
import { connectPostgres, readSourceTable } from '../../adapters/postgres.ts';
import { verifySql } from '../../core/canonical.ts';
import { LANDING_SETTINGS, referenceDdl, streamDdl } from '../../core/ddl.ts';
import { COPY_SETTINGS, copyPath, copySelect } from '../../core/ddlCopy.ts';
import { chIdentifier, chTable } from '../../core/identifiers.ts';
import { landingName } from '../../core/names.ts';
import type { TargetShape } from '../../core/typeMapping.ts';

export interface Summary {
  rows: string;
  checksum: string;
}

/** A PostgreSQL and a ClickHouse database of one test file's own. */
export class TwoDatabases {
  readonly name = `types_${randomBytes(4).toString('hex')}`;
  readonly clickhouse = ClickHouse.from(loadEnvironment());
  readonly url: URL;
  postgres!: pg.Client;

  constructor() {
    this.url = loadEnvironment().url('POSTGRES_URL');
  }

  static async create(): Promise<TwoDatabases> {
    const databases = new TwoDatabases();
    const server = await connectPostgres(databases.url, { applicationName: 'types test' });
    await server.query(`CREATE DATABASE ${databases.name} ENCODING 'UTF8' TEMPLATE template0`);
    await server.end();
    databases.url.pathname = `/${databases.name}`;
    databases.postgres = await connectPostgres(databases.url, { applicationName: 'types test' });
    await databases.clickhouse.command(`CREATE DATABASE ${chIdentifier(databases.name)}`);
    return databases;
  }

  async drop(): Promise<void> {
    await this.postgres.end();
    await this.clickhouse.command(`DROP DATABASE IF EXISTS ${chIdentifier(this.name)} SYNC`);
    await this.clickhouse.close();
    this.url.pathname = '/postgres';
    const server = await connectPostgres(this.url, { applicationName: 'types test' });
    await server.query(`DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`);
    await server.end();
  }

  /** What the pipeline would know of a source table that exists. */
  async shape(table: string, options: { load?: 'stream' | 'reference'; target?: string } = {}): Promise<TargetShape> {
    const { load = 'stream', target = table } = options;
    const source = await readSourceTable(this.postgres, { schema: 'public', name: table });
    const currentView = load === 'stream' ? `${target}_current` : null;
    return {
      database: this.name,
      table: {
        schema: 'public',
        name: table,
        label: table,
        load,
        target,
        currentView,
        duplicates: null,
        excluded: [],
        history: null,
        hashed: [],
        schedule: null,
      },
      source,
    };
  }

  /** Creates the ClickHouse objects. */
  async createTarget(shape: TargetShape): Promise<void> {
    for (const sql of shape.table.load === 'stream' ? streamDdl(shape) : referenceDdl(shape)) {
      await this.clickhouse.command(sql);
    }
  }

  /** Copies the source table as a snapshot or a reference load does. */
  async copy(shape: TargetShape, version: bigint | null = 1n): Promise<number> {
    const path = copyPath(shape, { into: shape.table.target, version });
    for (const sql of path.create) await this.clickhouse.command(sql);
    const body = this.postgres.query(copyTo(`COPY (${copySelect(shape.source)}) TO STDOUT`));
    const { landing: into, columns } = path;
    const { readRows } = await this.clickhouse.insert({ into, columns, format: 'TSV', body, settings: COPY_SETTINGS });
    for (const sql of path.drop) await this.clickhouse.command(sql);
    return readRows;
  }

  /** Lands messages as the stream does, one INSERT for all. */
  async land(shape: TargetShape, messages: readonly string[]): Promise<number> {
    const lines = messages.map((message, offset) => `{"_partition":0,"_offset":${offset},${message.slice(1)}`);
    const { readRows } = await this.clickhouse.insert({
      into: chTable({ database: this.name, name: landingName(shape.table.target) }),
      format: 'JSONEachRow',
      body: Buffer.from(lines.join('\n')),
      settings: LANDING_SETTINGS,
    });
    return readRows;
  }

  /** Count and checksum of both sides. */
  async summaries(shape: TargetShape): Promise<{ source: Summary; target: Summary }> {
    const sql = verifySql(shape);
    const source = (await this.postgres.query<Summary>(sql.postgres.summary)).rows[0]!;
    const target = (await this.clickhouse.rows<Summary>(sql.clickhouse.summary))[0]!;
    return { source, target };
  }

  async currentRows(shape: TargetShape): Promise<Record<string, unknown>[]> {
    const view = chTable({ database: this.name, name: shape.table.currentView! });
    return this.clickhouse.rows(`SELECT * FROM ${view} ORDER BY ALL`);
  }
}

/**
 * A message as Debezium writes it (JSON without schemas), with what surrounds the row.
 * @param row the JSON text of a row's columns, by name.
 */
export function envelope(
  op: 'c' | 'u' | 'd' | 'r' | 't',
  { before, after, lsn = 230564200 }: { before?: Record<string, string>; after?: Record<string, string>; lsn?: number },
): string {
  const json = (row?: Record<string, string>) =>
    row
      ? `{${Object.entries(row)
          .map(([name, value]) => `${JSON.stringify(name)}:${value}`)
          .join(',')}}`
      : 'null';
  const source =
    '{"version":"3.3.1.Final","connector":"postgresql","name":"test","ts_ms":1795254587320,"snapshot":"false",' +
    `"db":"test","sequence":"[\\"${lsn}\\",\\"${lsn}\\"]","ts_us":1795254587320061,"ts_ns":1795254587320061000,` +
    `"schema":"public","table":"t","txId":817,"lsn":${lsn},"xmin":null}`;
  return `{"before":${json(before)},"after":${json(after)},"source":${source},"transaction":null,"op":"${op}","ts_ms":1795254588625,"ts_us":1795254588625101,"ts_ns":1795254588625101002}`;
}
