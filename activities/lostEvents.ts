import type { Environment } from '../adapters/environment.ts';
import { committedOffsets, earliestOffsets, endOffsets, moveGroup, openKafka } from '../adapters/kafka.ts';
import type { Pipeline } from '../core/definition.ts';
import { partitionOf } from '../core/partitions.ts';

/**
 * Lets a pipeline's stream go on at the first event that a partition still has, where it has been read up to one that is
 * no longer, or not yet, there. It changes nothing elsewhere.
 * @throws TidegateError ALREADY_RUNNING when there is such a partition and the stream runs.
 */
export async function skipLostEvents(environment: Environment, pipeline: Pipeline): Promise<void> {
  const kafka = openKafka(environment);
  const group = pipeline.stream.consumerGroup;
  const topics = pipeline.events.map(({ topic }) => topic);
  const committed = await committedOffsets(kafka, { group, topics });
  const ends = await endOffsets(kafka, topics);
  const offsets = [...(await earliestOffsets(kafka, topics))]
    .filter(([partition, earliest]) => {
      const next = committed.get(partition) ?? earliest;
      return next < earliest || next > ends.get(partition)!;
    })
    .map(([key, earliest]) => ({ ...partitionOf(key), offset: String(earliest) }));
  if (offsets.length > 0) await moveGroup(kafka, { group, offsets });
}
