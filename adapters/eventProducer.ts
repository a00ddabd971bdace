import kafkajs, { CompressionTypes } from 'kafkajs';
import type { Environment } from './environment.ts';
import { kafkaError, openKafka } from './kafka.ts';

/** A Kafka producer of text messages. It connects when it first sends; close() disconnects it. */
export class EventProducer {
  readonly #producer: kafkajs.Producer;
  #connected: Promise<void> | undefined;

  constructor(environment: Environment) {
    this.#producer = openKafka(environment, { retries: 8 }).producer({
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      allowAutoTopicCreation: false,
    });
  }

  /**
   * Returns when all replicas have acknowledged all messages.
   * @throws TidegateError SERVICE_UNREACHABLE or ACCESS_DENIED.
   */
  async send(topic: string, messages: readonly { key: string; value: string }[]): Promise<void> {
    try {
      this.#connected ??= this.#producer.connect().catch((error: unknown) => {
        this.#connected = undefined;
        throw error;
      });
      await this.#connected;
      await this.#producer.send({ topic, messages: [...messages], acks: -1, compression: CompressionTypes.GZIP });
    } catch (error) {
      throw kafkaError(error);
    }
  }

  async close(): Promise<void> {
    await this.#producer.disconnect();
  }
}
