import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Producer } from 'kafkajs';
import { isDataProcessedForPeriod } from '../../core/marts.ts';
import type { MergeResult } from '../../core/mergeTypes.ts';
import definition from '../../pipelines/crm/pipeline.ts';
import type { TelemetryEvent } from '../../pipelines/crm/telemetry.ts';
import { Scenario, type ScenarioOptions } from './harness.ts';

const file = (name: string) => readFileSync(new URL(`../../pipelines/crm/${name}`, import.meta.url), 'utf8');
const SQL = file('marts/prosthesis_reports_mart.sql').trim();
const TABLES = file('source.sql').match(/CREATE TABLE IF NOT EXISTS[^;]*;/g)!;
const MART = 'prosthesis_reports_mart';

export type Row = Record<string, unknown>;
export interface Days {
  from: string;
  to: string;
}

/** The tables, the telemetry and the mart of crm, with a way to send events and to ask what the mart holds. */
export class MartLab implements AsyncDisposable {
  readonly scenario: Scenario;
  readonly #producer: Producer;

  private constructor(scenario: Scenario, producer: Producer) {
    this.scenario = scenario;
    this.#producer = producer;
  }

  static async open(options: Pick<ScenarioOptions, 'label' | 'workers'>): Promise<MartLab> {
    const { events, marts, tables, views } = definition;
    const scenario = await Scenario.open({
      ...{ ...options, tables, further: { events, marts, views } },
      files: {
        'marts/prosthesis_reports_mart.sql': SQL,
        'marts/crm_data_mart.sql': file('marts/crm_data_mart.sql'),
      },
      ddl: `${TABLES.join('\n')}
        INSERT INTO users SELECT i, 'user' || i || '@example.org', 'User ' || i FROM generate_series(1, 20) i;
        INSERT INTO prostheses SELECT i, nullif(i % 21, 0), 'Nova Hand S1', '2024-02-29' FROM generate_series(1, 30) i`,
    });
    const producer = scenario.kafka.producer();
    await producer.connect();
    return new MartLab(scenario, producer);
  }

  /** Sends events, each to any partition. */
  async send(events: readonly TelemetryEvent[]): Promise<void> {
    const { topic, partitions } = this.scenario.pipeline.events[0]!;
    await this.#producer.send({
      topic,
      messages: events.map((event) => {
        return { value: JSON.stringify(event), partition: Math.floor(Math.random() * partitions) };
      }),
    });
  }

  /** Starts a merge; without days, of all that need it. @returns a way to await its end. */
  async startMerge(days?: Days): Promise<() => Promise<MergeResult>> {
    const { temporal, name } = this.scenario;
    const id = await temporal.startMerge(name, MART, days ? { days } : {});
    return async () => (await temporal.client.workflow.getHandle(id).result()) as MergeResult;
  }

  async merge(days?: Days): Promise<MergeResult> {
    return await (await this.startMerge(days))();
  }

  /** What isDataProcessedForPeriod answers. @param days `to` is the last one here. */
  async processed({ from, to }: Days): Promise<boolean> {
    const { clickhouse, pipeline } = this.scenario;
    const { sql, params } = isDataProcessedForPeriod(pipeline, pipeline.marts[0]!);
    const range = { from, to: nextDay(to) };
    const [row] = await clickhouse.rows<{ processed: number }>(sql, { params: { ...params, ...range } });
    return Boolean(row!.processed);
  }

  /** When a day's last merge was noted; empty before the first. */
  async noted(day: string): Promise<string> {
    const rows = await this.rows(
      `SELECT merged_at FROM tidegate_periods FINAL WHERE mart = '${MART}' AND day = '${day}'`,
    );
    return String(rows[0]?.['merged_at'] ?? '');
  }

  /** What the mart holds of some days. */
  async held({ from, to }: Days): Promise<Row[]> {
    return await this.rows(
      `SELECT * FROM ${MART} WHERE day >= '${from}' AND day <= '${to}' ORDER BY user_id, prosthesis_id, day`,
    );
  }

  /** What the mart's SELECT gives for them now. */
  async recomputed({ from, to }: Days): Promise<Row[]> {
    const params = { from, to: nextDay(to) };
    return await this.rows(`SELECT * FROM (${SQL}) ORDER BY user_id, prosthesis_id, day`, params);
  }

  async assertEqual(days: Days, what = ''): Promise<void> {
    const [held, recomputed] = await Promise.all([this.held(days), this.recomputed(days)]);
    assert.deepEqual(held, recomputed, what);
  }

  async rows(sql: string, params: Record<string, string> = {}): Promise<Row[]> {
    const { clickhouse, pipeline } = this.scenario;
    return await clickhouse.rows<Row>(sql, { params, settings: { database: pipeline.database } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#producer.disconnect();
    await this.scenario[Symbol.asyncDispose]();
  }
}

export function event(prosthesis: number, at: string | number, changes: Partial<TelemetryEvent> = {}): TelemetryEvent {
  return {
    ...{ event_id: randomUUID(), prosthesis_id: prosthesis, recorded_at: new Date(at).toISOString() },
    ...{ battery: 80, response_time_ms: 90, grip_force: 12.5, movement: 'grip', error_code: null },
    ...changes,
  };
}

function nextDay(day: string): string {
  return new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10);
}
