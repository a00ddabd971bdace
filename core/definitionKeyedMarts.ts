import { z } from 'zod';
import { duration } from './definitionMarts.ts';

/**
 * Marts that follow their inputs by key: at every refresh, the keys whose input has changed are found by the arrival of rows,
 * and their rows are selected anew. The SELECT takes the keys by the parameter {keys:Identifier}, a table with the columns of
 * `key`; every row that it gives has one of these keys, and what it gives for a key does not depend on the other keys.
 */
const name = z.string().min(1).max(200);
const REFRESH_SECONDS = { min: 10, max: 86_400 } as const;

export const keyedMartSchema = z.strictObject({
  /** File with the SELECT, relative to the definition's folder. */
  file: z.string().min(1),
  /** The columns by which rows are selected anew. */
  key: z.array(name).min(1, 'needs at least one column'),
  /** The columns that the mart is ordered by, those of its key among them: no two rows are equal in all. Default: the key. */
  orderBy: z.array(name).min(1).optional(),
  /**
   * Targets and other marts that the SELECT reads; of each, which of the mart's columns say which of its rows were read:
   * the column's name, and an expression over the columns by which the input is ordered. The rows of an input that gives
   * the whole key decide which keys there are; one such is needed.
   */
  inputs: z.record(name, z.record(name, z.string().min(1))),
  /** How often it is refreshed, beside the refreshes that follow those of a mart among its inputs. */
  refreshEvery: duration
    .refine(
      (seconds) => seconds >= REFRESH_SECONDS.min && seconds <= REFRESH_SECONDS.max,
      'must lie between 10s and 1d',
    )
    .optional(),
  /** How many keys are merged by one statement, which bounds its memory. */
  keysAtOnce: z.int().min(1).max(1_000_000).default(250_000),
});

export interface KeyedInput {
  /** Name of the target or of the mart. */
  target: string;
  /** True when it is a mart. */
  mart: boolean;
  /** The mart's column, and the input's expression. */
  columns: readonly { column: string; expression: string }[];
  /** True when the columns are those of the mart's key. */
  wholeKey: boolean;
}

/** A mart that follows its inputs by key, with every default filled in. JSON-serialisable. */
export interface KeyedMart {
  name: string;
  file: string;
  key: readonly string[];
  orderBy: readonly string[];
  inputs: readonly KeyedInput[];
  /** Null: only after a mart among its inputs. */
  refreshSeconds: number | null;
  keysAtOnce: number;
}

/**
 * The second argument: targets of the pipeline's replicated tables and event topics, and the marts declared before.
 * @param invalid makes the error of a problem that the schema cannot see.
 */
export function parseKeyedMart(
  [martName, mart]: readonly [string, z.output<typeof keyedMartSchema>],
  { targets, marts }: { targets: readonly string[]; marts: readonly string[] },
  invalid: (problem: string) => Error,
): KeyedMart {
  const { file, key, orderBy = key, inputs, refreshEvery, keysAtOnce } = mart;
  const wrong = (problem: string) => invalid(`marts.${martName}.${problem}`);
  const parsed = Object.entries(inputs).map(([target, columns]): KeyedInput => {
    const isMart = marts.includes(target);
    if (!isMart && !targets.includes(target)) {
      throw wrong(
        `inputs: '${target}' is no target of a replicated table or an event topic, and no mart declared before`,
      );
    }
    const names = Object.keys(columns);
    return {
      ...{ target, mart: isMart },
      columns: Object.entries(columns).map(([column, expression]) => ({ column, expression })),
      wholeKey: names.length === key.length && key.every((each) => names.includes(each)),
    };
  });
  if (!parsed.some(({ wholeKey }) => wholeKey))
    throw wrong(`inputs: none of them gives the whole key ${key.join(', ')}`);
  const lacking = key.find((each) => !orderBy.includes(each));
  if (lacking !== undefined) throw wrong(`orderBy: lacks the key's column '${lacking}'`);
  if (refreshEvery === undefined && !parsed.some((input) => input.mart)) {
    throw wrong('refreshEvery: is needed, for no input is a mart whose refreshes it could follow');
  }
  return { name: martName, file, key, orderBy, inputs: parsed, refreshSeconds: refreshEvery ?? null, keysAtOnce };
}
