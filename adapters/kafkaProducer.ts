import kafkajs, { type Producer } from 'kafkajs';
import { messageOf, TidegateError } from '../core/errors.ts';
import type { Environment } from './environment.ts';
import { kafkaError, openKafka } from './kafka.ts';

/** A message with the key that decides its partition. */
export interface KeyedMessage {
  key: string;
  value: string;
}

/** With pauses that grow to five seconds, so that a broker that restarts is waited for, and one that is gone is told of. */
const RETRIES = 5;

/** What a broker says of a batch, or of a message alone, that is larger than the topic takes. */
const TOO_LARGE = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'];

/**
 * Sends messages to one topic, in order: those of one key go to one partition, as any client of Kafka would put them. The
 * brokers drop what the client itself repeats; what another producer has sent before, they do not know.
 */
export class OrderedProducer implements AsyncDisposable {
  readonly #environment: Environment;
  readonly #topic: string;
  #producer: Producer;

  private constructor(environment: Environment, topic: string, producer: Producer) {
    this.#environment = environment;
    this.#topic = topic;
    this.#producer = producer;
  }

  /** @throws TidegateError SERVICE_UNREACHABLE or ACCESS_DENIED. */
  static async connect(environment: Environment, topic: string): Promise<OrderedProducer> {
    return new OrderedProducer(environment, topic, await connectProducer(environment));
  }

  /**
   * Returns when all in-sync replicas have every message. After a failure some may have been sent; a producer that has
   * failed is not to be used again, for it may still be sending them.
   * @param name names a message in the error that it alone is too large.
   * @throws TidegateError MESSAGE_TOO_LARGE, SERVICE_UNREACHABLE or ACCESS_DENIED.
   */
  async send<T extends KeyedMessage>(messages: readonly T[], name: (message: T) => string): Promise<void> {
    try {
      const sent = messages.map(({ key, value }) => ({ key, value }));
      await this.#producer.send({ topic: this.#topic, acks: -1, messages: sent });
    } catch (error) {
      if (!isTooLarge(error)) throw kafkaError(error);
      if (messages.length === 1) throw this.#tooLarge(name(messages[0]!), error);
      // kafkajs has counted what was refused, so that the brokers would take nothing more of this producer.
      await this.#producer.disconnect();
      this.#producer = await connectProducer(this.#environment);
      const half = messages.length >> 1;
      await this.send(messages.slice(0, half), name);
      await this.send(messages.slice(half), name);
    }
  }

  #tooLarge(what: string, cause: unknown): TidegateError {
    return new TidegateError('MESSAGE_TOO_LARGE', `topic ${this.#topic} does not take ${what}: ${messageOf(cause)}`, {
      remedy: "Raise the topic's max.message.bytes, or shorten the row or mark it by hand; then resume the relay.",
      cause,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#producer.disconnect().catch(() => undefined);
  }
}

async function connectProducer(environment: Environment): Promise<Producer> {
  const producer = openKafka(environment, { retries: RETRIES }).producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    retry: { retries: RETRIES },
  });
  try {
    await producer.connect();
  } catch (error) {
    throw kafkaError(error);
  }
  return producer;
}

function isTooLarge(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (TOO_LARGE.includes((each as { type?: string }).type ?? '')) return true;
  }
  return false;
}
