import type pg from 'pg';
import type { Pipeline } from '../core/definition.ts';
import { TidegateError } from '../core/errors.ts';
import type { ActivityDeps } from './deps.ts';
import { catalogSession, driftedTables, driftOf } from './schemaDrift.ts';

const POLL_MS = 3000;

/** Looks at the catalog every few seconds, over one session that is opened again when it is lost. */
export class SchemaWatch {
  readonly #deps: ActivityDeps;
  readonly #pipeline: Pipeline;
  #session: pg.Client | null = null;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(deps: ActivityDeps, pipeline: Pipeline) {
    this.#deps = deps;
    this.#pipeline = pipeline;
  }

  /**
   * A service that does not answer, or a table that is locked, is asked again the next time: others say what is wrong.
   * @throws TidegateError SCHEMA_DRIFT naming the tables whose schema is no longer the recorded one.
   */
  async look(): Promise<void> {
    if (performance.now() - this.#lookedAt < POLL_MS) return;
    let drifted: string[];
    try {
      this.#session ??= await catalogSession(this.#deps, this.#pipeline);
      drifted = await driftedTables(this.#deps, this.#pipeline, this.#session);
    } catch (error) {
      await this.close();
      if (!(error instanceof TidegateError) || !error.retryable) throw error;
      return;
    } finally {
      this.#lookedAt = performance.now();
    }
    if (drifted.length > 0) throw driftOf(drifted);
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    await session?.end().catch(() => undefined);
  }
}
