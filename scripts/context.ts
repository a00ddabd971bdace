import { ClickHouse } from '../adapters/clickhouse.ts';
import { type Definitions, loadDefinitions } from '../adapters/definitions.ts';
import { type Environment, loadEnvironment } from '../adapters/environment.ts';
import type { Temporal } from '../adapters/temporal.ts';
import { type Pipeline, referenceTables } from '../core/definition.ts';
import { TidegateError } from '../core/errors.ts';

/** What a command works with. Nothing is read or connected before a command asks for it. */
export class CommandContext {
  #environment: Environment | undefined;
  #definitions: Promise<Definitions> | undefined;
  #temporal: Promise<Temporal> | undefined;
  #clickhouse: ClickHouse | undefined;

  get environment(): Environment {
    this.#environment ??= loadEnvironment();
    return this.#environment;
  }

  definitions(): Promise<Definitions> {
    this.#definitions ??= loadDefinitions(this.environment.pipelineFolders);
    return this.#definitions;
  }

  /** One pipeline by name, or all of them. @throws TidegateError UNKNOWN_PIPELINE. */
  async pipelines(name?: string): Promise<Pipeline[]> {
    const definitions = await this.definitions();
    return (name === undefined ? definitions.names : [name]).map((each) => definitions.get(each).pipeline);
  }

  /** @throws TidegateError SERVICE_UNREACHABLE. */
  temporal(): Promise<Temporal> {
    // Imported here: the client takes half a second to load, and --help does not need it.
    this.#temporal ??= import('../adapters/temporal.ts').then(({ Temporal }) => Temporal.connect(this.environment));
    return this.#temporal;
  }

  get clickhouse(): ClickHouse {
    this.#clickhouse ??= ClickHouse.from(this.environment);
    return this.#clickhouse;
  }

  /** @throws TidegateError SERVICE_UNREACHABLE when nothing would do the work that a command is about to start. */
  async requireWorkers(queue: 'stream' | 'batch'): Promise<void> {
    const temporal = await this.temporal();
    if (await temporal.hasWorkers(queue)) return;
    throw new TidegateError('SERVICE_UNREACHABLE', `no worker asks for work on the task queue '${queue}'`, {
      remedy: 'Start one with: npm run worker',
    });
  }

  async close(): Promise<void> {
    await this.#temporal?.then(
      (temporal) => temporal.close(),
      () => undefined,
    );
    await this.#clickhouse?.close();
  }
}

/** Splits `pipeline.table` or `pipeline.schema.table` at the first dot; a pipeline's name has none. */
export function splitLoadName(written: string): { pipeline: string; table: string } {
  const dot = written.indexOf('.');
  if (dot > 0 && dot < written.length - 1) return { pipeline: written.slice(0, dot), table: written.slice(dot + 1) };
  throw new TidegateError('UNKNOWN_TABLE', `'${written}' does not name a table of a pipeline`, {
    remedy: 'Write it as <pipeline>.<table>.',
  });
}

/** @throws TidegateError UNKNOWN_TABLE for a stream table: it is loaded by its stream, never by hand. */
export function requireReferenceTable(pipeline: Pipeline, table: { label: string; load: string }): void {
  if (table.load === 'reference') return;
  const labels = referenceTables(pipeline).map(({ label }) => label);
  throw new TidegateError(
    'UNKNOWN_TABLE',
    `'${pipeline.name}.${table.label}' is a stream table, not a reference table`,
    {
      remedy: `Its stream keeps it current. Reference tables: ${labels.join(', ') || 'none'}.`,
    },
  );
}
