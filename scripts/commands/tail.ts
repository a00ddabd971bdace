import { type Command, InvalidArgumentError } from 'commander';
import { openKafka } from '../../adapters/kafka.ts';
import type { TailedMessage, TailStart } from '../../adapters/kafkaTail.ts';
import type { Pipeline } from '../../core/definition.ts';
import { secondsOf } from '../../core/durations.ts';
import { TidegateError } from '../../core/errors.ts';
import { findLane, type Lane, streamLanes } from '../../core/lanes.ts';
import { readTailed } from '../../core/tailMessage.ts';
import type { CommandContext } from '../context.ts';
import { formatDuration } from '../output.ts';
import type { Landed } from './tailLanding.ts';

interface TailFlags {
  last: number;
  from?: Exclude<TailStart, { last: number }>;
  limit?: number;
  json?: true;
  follow: boolean;
}

const DEFAULT_LAST = 10;

export function registerTail(program: Command, context: CommandContext): void {
  program
    .command('tail')
    .argument('<pipeline>')
    .argument('[table]')
    .description('follow changes and events as they land: when each was committed or sent, how long it took, the row')
    .option('--last <n>', 'begin with the last n', parseCount, DEFAULT_LAST)
    .option('--from <start>', 'begin elsewhere: earliest, latest, or a time ago such as 20s, 5m, 2h', parseStart)
    .option('--limit <n>', 'end after n', parseLimit)
    .option('--no-follow', 'end with the last one there is')
    .option('--json', 'print a line of JSON each')
    .action(async (name: string, table: string | undefined, flags: TailFlags) => {
      const [pipeline] = await context.pipelines(name);
      await tail(context, { pipeline: pipeline!, lanes: lanesOf(pipeline!, table), flags });
    });
}

function lanesOf(pipeline: Pipeline, table: string | undefined): Lane[] {
  const lanes = table === undefined ? streamLanes(pipeline) : [findLane(pipeline, table)];
  if (lanes.length > 0) return lanes;
  throw new TidegateError('UNKNOWN_TABLE', `pipeline '${pipeline.name}' streams nothing that could be followed`, {
    remedy: 'Its tables are loaded whole: see npx tidegate status.',
  });
}

async function tail(
  context: CommandContext,
  { pipeline, lanes, flags }: { pipeline: Pipeline; lanes: readonly Lane[]; flags: TailFlags },
): Promise<void> {
  const { tailTopics } = await import('../../adapters/kafkaTail.ts');
  const { Landing } = await import('./tailLanding.ts');
  const { environment, clickhouse } = context;
  const kafka = openKafka(environment);
  const topics = lanes.map(({ topic }) => topic);
  const ended = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort());
  process.stdout.on('error', () => ended.abort());
  const onWait = () =>
    console.error(`tidegate: messages wait in Kafka and do not land. See: npx tidegate status ${pipeline.name}`);
  const landing = new Landing({ kafka, clickhouse }, { pipeline, topics, onWait });
  const { limit = Number.POSITIVE_INFINITY } = flags;
  let printed = 0;
  await tailTopics(kafka, {
    ...{ topics, start: flags.from ?? { last: flags.last }, follow: flags.follow, signal: ended.signal },
    onMessage: async (message, beat) => {
      const signal = ended.signal;
      const landed = flags.follow ? await landing.wait(message, { signal, beat }) : await landing.state(message);
      if (signal.aborted) return;
      const lane = lanes.find(({ topic }) => topic === message.topic)!;
      const tailed = describe(message, { lane, landed, landedMs: message.old ? null : Date.now() });
      console.log(flags.json ? JSON.stringify(tailed) : lineOf(tailed));
      if (++printed >= limit) ended.abort();
    },
  });
}

/** What is printed of a message; `--json` prints it as it is. */
interface Tailed {
  table: string;
  op: string;
  /** When it was committed at the source, or an event was sent; ISO 8601. */
  at: string;
  landed: Landed;
  /** From then on until it had landed; null for what had landed before it was followed, or has not. */
  lagMs: number | null;
  /** `partition:offset` in its topic. */
  offset: string;
  before: unknown;
  after: unknown;
}

function describe(message: TailedMessage, about: { lane: Lane; landed: Landed; landedMs: number | null }): Tailed {
  const { lane, landed, landedMs } = about;
  // What is no JSON is shown as it is; it has become a dead letter.
  const raw = { op: '?', committedMs: null, before: null, after: message.value.toString('utf8') };
  const { op, committedMs, before, after } = readTailed(message.value, lane.kind) ?? raw;
  const atMs = committedMs ?? message.sentMs;
  return {
    ...{ table: lane.label, op, at: new Date(atMs).toISOString(), landed },
    lagMs: landed === 'landed' && landedMs !== null ? Math.max(0, landedMs - atMs) : null,
    ...{ offset: `${message.partition}:${message.offset}`, before, after },
  };
}

/** `2025-01-31 04:05:06.789  landed +45 ms  orders  update  {before} -> {after}` */
function lineOf({ table, op, at, landed, lagMs, before, after }: Tailed): string {
  const time = at.slice(0, 23).replace('T', ' ');
  const arrival = lagMs === null ? landed : `${landed} +${formatDuration(lagMs)}`;
  const rows = [before, after].filter((row) => row !== null).map((row) => JSON.stringify(row));
  return [time, arrival.padEnd(16), table, op, rows.join(' -> ')].join('  ').trimEnd();
}

function parseCount(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('It takes a whole number.');
  return value;
}

function parseLimit(text: string): number {
  const value = parseCount(text);
  if (value === 0) throw new InvalidArgumentError('It takes a number above 0.');
  return value;
}

function parseStart(text: string): TailFlags['from'] {
  if (text === 'earliest' || text === 'latest') return text;
  if (!/^\d+[smhd]$/.test(text))
    throw new InvalidArgumentError('It takes earliest, latest, or a time such as 20s, 5m, 2h, 1d.');
  return { sinceMs: Date.now() - secondsOf(text) * 1000 };
}
