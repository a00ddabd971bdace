import type { SourceTable } from './catalog.ts';
import { requireStreamable, streamObjects } from './ddl.ts';
import { type PipelineTable, parsePipeline } from './definition.ts';
import { kafkaKey, OWN_TABLES } from './definitionNames.ts';
import { TidegateError } from './errors.ts';
import { formatTableName } from './identifiers.ts';
import { copyLandingName, copyViewName, stagingName, topicOf } from './names.ts';
import { type ColumnWarning, columnWarnings } from './typeLimits.ts';
import { mappedColumns } from './typeMapping.ts';

/** How a new definition would replicate a table of the source. */
export interface ProposedTable {
  source: SourceTable;
  /** As a definition names it. */
  label: string;
  /** null: it cannot be replicated as it is. */
  load: 'stream' | 'reference' | null;
  /** Why it is not streamed, with the remedy, on one line; null when it is. */
  reason: string | null;
  /** Name of the target where the table's own is taken, else null. */
  target: string | null;
  /** What plan will warn of. */
  warnings: ColumnWarning[];
}

/** A stream for every table that can have one, a load for what is left, each checked by the rules that plan goes by. */
export function proposeTables(sources: readonly SourceTable[]): ProposedTable[] {
  const taken = new Set<string>(OWN_TABLES);
  const topics = new Map<string, string>();
  // A view that nobody has asked for yet takes no name from a table.
  const tablesFirst = sources.toSorted((a, b) => Number(isView(a)) - Number(isView(b)));
  return tablesFirst.map((source) => {
    const label = formatTableName(source);
    const streamRefusal = refusal(source, 'stream') ?? takenTopic(source, topics);
    const loadRefusal = streamRefusal && refusal(source, 'reference');
    const load = streamRefusal === null ? 'stream' : loadRefusal === null ? 'reference' : null;
    return {
      ...{ source, label, load, reason: streamRefusal && (loadRefusal ?? streamRefusal) },
      target: load && freeTarget(source, taken),
      warnings: load ? columnWarnings(tableOf(label, load), source) : [],
    };
  });
}

/** Why a table's topic is another one's already, with the remedy; null when it is free, and then it is taken. */
function takenTopic(source: SourceTable, topics: Map<string, string>): string | null {
  const label = formatTableName(source);
  const key = kafkaKey(topicOf({ stream: { topicPrefix: '' } }, source));
  const owner = topics.get(key);
  if (owner === undefined) topics.set(key, label);
  return owner === undefined
    ? null
    : `${label} and ${owner} would share a topic in Kafka. Rename one of them to stream both.`;
}

/** Whether it has no rows of its own. */
export function isView({ kind }: SourceTable): boolean {
  return kind === 'v' || kind === 'm';
}

/** Why a table cannot be replicated so; null when it can. */
function refusal(source: SourceTable, load: PipelineTable['load']): string | null {
  const table = tableOf(formatTableName(source), load);
  try {
    if (load === 'stream') requireStreamable({ table, source });
    mappedColumns({ table, source });
    return null;
  } catch (error) {
    if (error instanceof TidegateError) return `${error.message}. ${error.remedy}`.replace(/\s*\n\s*/g, ' ');
    throw error;
  }
}

function tableOf(label: string, load: PipelineTable['load']): PipelineTable {
  const definition = { name: 'proposed', source: 'PROPOSED_URL', tables: { [label]: { load, target: 'proposed' } } };
  return parsePipeline(definition, 'init').tables[0]!;
}

/** A name for the target of which no other object takes any part; null when that is the table's own. */
function freeTarget({ schema, name }: SourceTable, taken: Set<string>): string | null {
  const numbered = Array.from({ length: taken.size }, (_, index) => `${name}_${index + 2}`);
  const candidates = [name, `${schema}_${name}`, ...numbered];
  const target = candidates.find((each) => objectsOf(each).every((object) => !taken.has(object)))!;
  for (const object of objectsOf(target)) taken.add(object);
  return target === name ? null : target;
}

/** Everything that ClickHouse may hold for one target. */
function objectsOf(target: string): string[] {
  const copies = [copyLandingName(target), copyViewName(target), stagingName(target)];
  return [...streamObjects({ ...tableOf('proposed', 'stream'), target, currentView: null }), ...copies];
}
