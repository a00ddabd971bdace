import type pg from 'pg';
import { TidegateError } from '../../core/errors.ts';
import { Scenario, type ScenarioOptions } from './harness.ts';
import { readTopic } from './topic.ts';
import { until } from './until.ts';

const PAUSE_MS = 20;

/** Writes rows while something breaks, so that there is always something on its way. It bears with a source that restarts. */
class Writer {
  readonly #scenario: Scenario;
  #session: pg.Client | null = null;
  #stopping = false;
  #running: Promise<void> | null = null;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
  }

  start(): void {
    this.#stopping = false;
    this.#running = this.#write();
    this.#running.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #write(): Promise<void> {
    try {
      for (let i = 0; !this.#stopping; i++) {
        await this.#change(i).catch(async (error) => {
          if (!isLostConnection(error)) throw error;
          await this.#close();
        });
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    } finally {
      await this.#close();
    }
  }

  async #change(i: number): Promise<void> {
    this.#session ??= await this.#scenario.source.connect();
    await this.#session.query(`
      INSERT INTO items VALUES (${1000 + (i % 700)}, 'new', ${i}) ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n;
      UPDATE items SET n = n + 1 WHERE id % 100 = ${i % 100};
      DELETE FROM items WHERE id % 310 = ${i % 310} AND id > 100;
      INSERT INTO others VALUES (DEFAULT, ${i})`);
  }

  async #close(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    await session?.end().catch(() => undefined);
  }
}

/** Not for a statement that the server has refused, which a code tells: classes 08 and 57 are about the connection. */
function isLostConnection(error: unknown): boolean {
  if (error instanceof TidegateError) return error.retryable;
  const { code = '' } = error as { code?: string };
  return !/^[0-9A-Z]{5}$/.test(code) || /^(08|57)/.test(code);
}

/**
 * A scenario with two tables, items and others, that are written while something breaks, and a reference table, priced.
 * Its workers can be killed.
 */
export class FaultLab implements AsyncDisposable {
  readonly scenario: Scenario;
  readonly #writer: Writer;

  private constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.#writer = new Writer(scenario);
  }

  static async open(options: Pick<ScenarioOptions, 'label' | 'environment'>): Promise<FaultLab> {
    const scenario = await Scenario.open({
      ...{ ...options, workers: 'child', tables: { items: {}, others: {}, priced: { load: 'reference' } } },
      ddl: `
        CREATE TABLE items (id int PRIMARY KEY, v text, n int); INSERT INTO items SELECT i, 'first', 0 FROM generate_series(1, 500) i;
        CREATE TABLE others (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v int);
        CREATE TABLE priced (id int PRIMARY KEY, price numeric(10, 2)); INSERT INTO priced SELECT i, i / 4.0 FROM generate_series(1, 5000) i`,
    });
    return new FaultLab(scenario);
  }

  /** Breaks something while rows are written, goes on writing until changes land again, and compares. */
  async whileWriting(breakIt: () => Promise<void>): Promise<void> {
    const { scenario } = this;
    this.#writer.start();
    try {
      await this.untilLanding();
      await breakIt();
      scenario.proxy.rule = null;
      await this.untilLanding();
    } finally {
      scenario.proxy.rule = null;
      await this.#writer.stop();
    }
    await scenario.assertEqual();
  }

  /** Waits until some more batches have landed. */
  async untilLanding(): Promise<void> {
    const { proxy } = this.scenario;
    const before = proxy.landed;
    await this.until('batches land', () => proxy.landed > before + 2);
  }

  /** Waits for a condition; the failure tells the state of everything. */
  async until(what: string, met: () => Promise<boolean> | boolean): Promise<void> {
    await until(met, (answer) => answer, { what, state: () => this.scenario.describe() });
  }

  /** Sends messages to the topic of items, made from those that it has had so far. */
  async send(make: (values: Buffer[]) => (Buffer | string)[]): Promise<void> {
    const { kafka, topics } = this.scenario;
    const [topic] = topics as [string];
    const producer = kafka.producer();
    await producer.connect();
    await producer.send({ topic, messages: make(await readTopic(kafka, topic)).map((value) => ({ value })) });
    await producer.disconnect();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.stop();
    await this.scenario[Symbol.asyncDispose]();
  }
}
