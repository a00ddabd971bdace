import { type Command, InvalidArgumentError } from 'commander';
import type { DeadLetterFilter, StoredDeadLetter } from '../../activities/deadLetters.ts';
import type { Pipeline } from '../../core/definition.ts';
import { TidegateError } from '../../core/errors.ts';
import { findLane } from '../../core/lanes.ts';
import type { CommandContext } from '../context.ts';
import { letterJson, letterLines, listLines } from './deadLettersText.ts';

interface Selection {
  table?: string;
  offset?: { partition?: number; offset: bigint };
  limit: number;
  json?: true;
}

const LIMIT = 100;

export function registerDeadLetters(program: Command, context: CommandContext): void {
  const group = program
    .command('dead-letters')
    .description('messages that could not be loaded: list, show or replay them')
    .helpCommand(false);
  const verb = (name: string, description: string) =>
    group
      .command(name)
      .argument('<pipeline>')
      .description(description)
      .option('--table <table>', 'of one table only')
      .option('--offset <[partition:]offset>', 'of these coordinates only', parseOffset)
      .option('--limit <n>', 'at most so many', parseLimit, LIMIT)
      .option('--json', 'print one JSON object');

  verb('list', 'one line each, with what became of it').action(async (name: string, options: Selection) => {
    const { letters, more } = await select(context, { name, options });
    if (options.json) console.log(JSON.stringify({ deadLetters: letters.map(letterJson), more }, null, 2));
    else for (const line of listLines(name, { letters, more })) console.log(line);
  });

  verb('show', 'coordinates, error, key and value of each').action(async (name: string, options: Selection) => {
    const { letters, more } = await select(context, { name, options });
    if (letters.length === 0 && options.offset) throw none(name);
    if (options.json) console.log(JSON.stringify({ deadLetters: letters.map(letterJson), more }, null, 2));
    else console.log(letters.map((letter) => letterLines(letter).join('\n')).join('\n\n') || `${name}: none`);
  });

  verb('replay', 'insert them once more as they were sent; what is refused again stays')
    .option('--all', 'all that are outstanding')
    .action(async (name: string, options: Selection & { all?: true }) => {
      if (!options.all === !options.offset) {
        throw new TidegateError('DEAD_LETTER', 'say which dead letters to replay', {
          remedy: 'Give either --offset or --all.',
        });
      }
      await replay(context, { name, options });
    });
}

async function replay(context: CommandContext, about: { name: string; options: Selection & { all?: true } }) {
  const { name, options } = about;
  const { pipeline, letters } = await select(context, { name, options, outstanding: true });
  if (letters.length === 0 && options.offset) throw none(name);
  const { replayDeadLetter } = await import('../../activities/deadLettersReplay.ts');
  const refused: StoredDeadLetter[] = [];
  for (const letter of letters) {
    const { clickhouse, environment } = context;
    const { refusal } = await replayDeadLetter({ clickhouse, environment, pipeline }, letter);
    if (refusal) refused.push({ ...letter, ...refusal });
  }
  const replayed = letters.length - refused.length;
  if (options.json) console.log(JSON.stringify({ replayed, refused: refused.map(letterJson) }, null, 2));
  else console.log(`${name}: ${replayed} replayed, ${refused.length} refused again`);
  const [first] = refused;
  if (!first) return;
  const { topic, partition, offset, reason } = first;
  throw new TidegateError('DEAD_LETTER', `message ${topic}:${partition} at offset ${offset} ${reason}`, {
    remedy: `It stays a dead letter: correct the target, or resync ${first.table}, and replay it then.`,
  });
}

/** The letters meant, one read beyond the limit to know whether there are more. --all knows no limit. */
async function select(
  context: CommandContext,
  about: { name: string; options: Selection & { all?: true }; outstanding?: true },
): Promise<{ pipeline: Pipeline; letters: StoredDeadLetter[]; more: boolean }> {
  const { name, options, outstanding } = about;
  const pipeline = (await context.pipelines(name))[0]!;
  const { DeadLetters } = await import('../../activities/deadLetters.ts');
  const filter: DeadLetterFilter = {
    ...(options.table !== undefined && { table: findLane(pipeline, options.table).label }),
    ...options.offset,
    ...(outstanding && { status: 'outstanding' }),
  };
  const limit = options.all ? undefined : options.limit + 1;
  const found = await new DeadLetters(context.clickhouse, pipeline).find(filter, limit);
  const letters = options.all ? found : found.slice(0, options.limit);
  return { pipeline, letters, more: found.length > letters.length };
}

function none(pipeline: string): TidegateError {
  return new TidegateError('DEAD_LETTER', `'${pipeline}' has no such dead letter`, {
    remedy: `See: npx tidegate dead-letters list ${pipeline}`,
  });
}

function parseOffset(text: string): { partition?: number; offset: bigint } {
  const match = /^(?:(\d{1,9}):)?(\d{1,18})$/.exec(text);
  if (!match) throw new InvalidArgumentError('Write it as 700, or with its partition as 0:700.');
  return { ...(match[1] !== undefined && { partition: Number(match[1]) }), offset: BigInt(match[2]!) };
}

function parseLimit(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError('It takes a number from 1 to 9999999.');
  return Number(text);
}
