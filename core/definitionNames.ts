import type { Pipeline } from './definition.ts';
import {
  DEAD_LETTERS_TABLE,
  kafkaTableName,
  kafkaViewName,
  keyedRowsName,
  landingName,
  landingViewName,
  MERGES_TABLE,
  PERIODS_TABLE,
  SCHEMA_TABLE,
  SNAPSHOTS_TABLE,
  topicOf,
  truncationsName,
  truncationsViewName,
} from './names.ts';

/** Tables that Tidegate keeps for itself in a pipeline's database. */
export const OWN_TABLES = [DEAD_LETTERS_TABLE, SNAPSHOTS_TABLE, SCHEMA_TABLE, PERIODS_TABLE, MERGES_TABLE];

/** One name that a pipeline makes, and what it is for, as people write that. */
interface Made {
  name: string;
  owner: string;
}

/** Everything that the pipeline makes has a name of its own; what is wrong with that, one sentence, or null. */
export function sharedName(pipeline: Omit<Pipeline, 'source'>): string | null {
  const object = shared(objectsOf(pipeline), (name) => name);
  if (object) {
    const [one, other] = object.map(({ owner }) => owner);
    return `two tables or views would be created as '${object[0].name}', for ${one} and for ${other}: give one of them another target`;
  }
  const topic = shared(topicsOf(pipeline), kafkaKey);
  if (!topic) return null;
  const [one, other] = topic;
  const topics =
    one.name === other.name
      ? `would share the topic '${one.name}'`
      : `would have the topics '${one.name}' and '${other.name}', which Kafka takes for one`;
  return `${one.owner} and ${other.owner} ${topics}: rename one of them, or load it with load: 'reference'`;
}

/** Kafka refuses a topic that differs from another in dots and underscores only. */
export function kafkaKey(topic: string): string {
  return topic.replaceAll('.', '_');
}

function topicsOf(pipeline: Omit<Pipeline, 'source'>): Made[] {
  const streams = pipeline.tables.filter(({ load }) => load === 'stream');
  return [
    ...streams.map((table) => ({ name: topicOf(pipeline, table), owner: table.label })),
    ...pipeline.events.map(({ topic, label }) => ({ name: topic, owner: `events.${label}` })),
  ];
}

function objectsOf({ stream, tables, events, views, marts, keyedMarts }: Omit<Pipeline, 'source'>): Made[] {
  const made = (owner: string, names: readonly (string | null)[]): Made[] =>
    names.flatMap((name) => (name === null ? [] : [{ name, owner }]));
  return [
    ...made('Tidegate itself', OWN_TABLES),
    ...tables.flatMap((table) => {
      const { label, target, load, currentView } = table;
      if (load === 'reference') return made(label, [target]);
      const landing = [landingName(target), landingViewName(target)];
      const engine = stream.ingest === 'kafka-engine' ? [kafkaTableName(table), kafkaViewName(table)] : [];
      const truncations = [truncationsName(target), truncationsViewName(target)];
      return made(label, [target, currentView, ...landing, ...truncations, ...engine]);
    }),
    ...events.flatMap(({ label, target, currentView }) =>
      made(`events.${label}`, [target, currentView, landingName(target), landingViewName(target)]),
    ),
    ...views.flatMap(({ name }) => made('a view', [name])),
    ...marts.flatMap(({ name }) => made('a mart', [name])),
    ...keyedMarts.flatMap(({ name }) => made('a mart', [name, keyedRowsName(name)])),
  ];
}

function shared(all: readonly Made[], key: (name: string) => string): [Made, Made] | null {
  const known = new Map<string, Made>();
  for (const each of all) {
    const before = known.get(key(each.name));
    if (before) return [before, each];
    known.set(key(each.name), each);
  }
  return null;
}
