/** The key of a topic's partition, in maps of offsets and in StreamProgress: `topic:partition`. */
export function partitionKey(topic: string, partition: number): string {
  return `${topic}:${partition}`;
}

/** The partition of such a key. */
export function partitionOf(key: string): { topic: string; partition: number } {
  const colon = key.lastIndexOf(':');
  return { topic: key.slice(0, colon), partition: Number(key.slice(colon + 1)) };
}

/** How many messages below the ends are not committed. Both hold offsets by partition. */
export function waitingMessages(ends: ReadonlyMap<string, bigint>, committed: ReadonlyMap<string, bigint>): bigint {
  let waiting = 0n;
  for (const [partition, end] of ends) {
    const reached = committed.get(partition) ?? 0n;
    if (reached < end) waiting += end - reached;
  }
  return waiting;
}
