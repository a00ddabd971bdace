import { pgLiteral } from '../../core/identifiers.ts';
import type { Random } from '../../pipelines/random.ts';

/** A column of a soaked table, and how random values of it are written in SQL. */
interface SoakColumn {
  name: string;
  type: string;
  value: (random: Random) => string;
  /** A type that the column may be given instead. */
  wider?: string;
}

const ALPHABET = [...'abcXYZ 019_-\'"\\/{}[],:;\t\n\r%ёжΩ😀\u200b\u0001'];

function text(random: Random, longest = 20): string {
  const length = random.between(0, longest - 1);
  return pgLiteral(Array.from({ length }, () => random.pick(ALPHABET)).join('')).trim();
}

function digits(random: Random, count: number): string {
  return Array.from({ length: 1 + random.between(0, count - 1) }, () => random.between(0, 9)).join('');
}

const sign = (random: Random) => random.pick(['', '-']);
const json = (random: Random): string =>
  pgLiteral(
    JSON.stringify({
      a: random.between(0, 99),
      [`k${random.between(0, 2)}`]: random.pick([null, 'x"\\', [1, null], {}]),
    }),
  ).trim();

const COLUMNS: readonly SoakColumn[] = [
  { name: 'flag', type: 'boolean', value: (random) => random.pick(['true', 'false']) },
  { name: 'small', type: 'smallint', value: (random) => String(random.between(0, 65535) - 32768), wider: 'integer' },
  { name: 'big', type: 'bigint', value: (random) => `${sign(random)}${digits(random, 18)}` },
  {
    name: 'price',
    type: 'numeric(12,4)',
    value: (random) => `${sign(random)}${digits(random, 8)}.${digits(random, 4)}`,
  },
  { name: 'exact', type: 'numeric', value: (random) => `${sign(random)}${digits(random, 40)}.${digits(random, 20)}` },
  {
    name: 'ratio',
    type: 'double precision',
    value: (random) => random.pick([`'NaN'`, `'-0'`, String(random.next()), `1e${random.between(0, 299)}`]),
  },
  { name: 'label', type: 'text', value: (random) => text(random) },
  { name: 'code', type: 'varchar(4)', value: (random) => `'${digits(random, 4)}'`, wider: 'varchar(40)' },
  { name: 'day', type: 'date', value: (random) => `date '1950-01-01' + ${random.between(0, 59999)}` },
  {
    name: 'at',
    type: 'timestamptz',
    value: (random) => `to_timestamp(${random.between(0, 3999999999)}.${random.between(0, 999999)})`,
  },
  { name: 'doc', type: 'jsonb', value: json },
  { name: 'tags', type: 'text[]', value: (random) => `ARRAY[${text(random)}, NULL, ${text(random)}]` },
  { name: 'counts', type: 'int[]', value: (random) => `'{${random.between(0, 8)},NULL,${random.between(0, 8)}}'` },
  {
    name: 'raw',
    type: 'bytea',
    value: (random) => `decode('${'0a225cff00'.slice(0, 2 * random.between(0, 5))}', 'hex')`,
  },
  { name: 'uid', type: 'uuid', value: (random) => `md5('${random.between(0, 1e9 - 1)}')::uuid` },
  {
    name: 'span',
    type: 'interval',
    value: (random) => `interval '${random.between(0, 399)} days -${random.between(0, 1e6 - 1)} ms'`,
  },
  { name: 'opens', type: 'time', value: (random) => `time '${random.pick(['00:00', '24:00', '12:34:56.789'])}'` },
  {
    name: 'body',
    type: 'text',
    value: (random) =>
      `(SELECT string_agg(md5(i::text), '${random.between(0, 9)}') FROM generate_series(1, ${random.pick([1, 150])}) i)`,
  },
];

/** How likely a transaction comes with a change of a table's shape, and with a TRUNCATE. */
const RESHAPED = 0.01;
const EMPTIED = 0.004;

/** Keys come from a small range, so that the same ones are changed, deleted and inserted again and again. */
const KEYS = 400;

/** The statements that create the types of the tables. */
export function soakTypesDdl(tables: readonly SoakTable[]): string {
  return tables.map(({ typeDdl }) => typeDdl).join('');
}

export interface SoakTransaction {
  /** A statement that changes a table's shape, by itself before the transaction. */
  reshape: string | null;
  sql: string;
  changes: number;
}

/** What a seed stands for: transactions of one to 500 changes, in an order that depends on nothing else. */
export function* transactions(
  tables: readonly SoakTable[],
  random: Random,
  { changes, ddl }: { changes: number; ddl: boolean },
): Generator<SoakTransaction, void> {
  for (let left = changes; left > 0; ) {
    const size = Math.min(left, random.chance(0.02) ? 500 : 1 + random.between(0, 19));
    left -= size;
    const reshape = ddl && random.chance(RESHAPED) ? random.pick(tables).reshape(random) : null;
    const table = random.chance(0.7) ? random.pick(tables) : null;
    const statements = Array.from({ length: size }, () => (table ?? random.pick(tables)).change(random));
    if (random.chance(EMPTIED)) statements.push(`TRUNCATE ${random.pick(tables).name}`);
    const end = random.chance(0.05) ? 'ROLLBACK' : 'COMMIT';
    yield { reshape, sql: `BEGIN; ${statements.join('; ')}; ${end}`, changes: size };
  }
}

/** One soaked table, and the SQL of random changes of it. */
export class SoakTable {
  readonly name: string;
  /** Of its enum type. */
  readonly labels = ['first', "it's second"];
  readonly #columns: SoakColumn[];
  #added = 0;

  constructor(name: string, random: Random) {
    this.name = name;
    this.#columns = COLUMNS.filter(() => random.chance(0.6));
    this.#columns.push({ name: 'kind', type: this.#labelType, value: (each) => pgLiteral(each.pick(this.labels)) });
  }

  get #labelType(): string {
    return `${this.name}_label`;
  }

  /** The statement that creates its enum type. */
  get typeDdl(): string {
    return `CREATE TYPE ${this.#labelType} AS ENUM (${this.labels.map(pgLiteral).join(', ')});`;
  }

  /** @param identity DEFAULT or FULL. */
  ddl(identity: string): string {
    const columns = this.#columns.map(({ name, type }) => `${name} ${type}`).join(', ');
    return `CREATE TABLE ${this.name} (id int, part text, ${columns}, PRIMARY KEY (id, part));
      ALTER TABLE ${this.name} REPLICA IDENTITY ${identity};`;
  }

  /** One to a few changes as one statement; it never fails, whatever the table holds. */
  change(random: Random): string {
    const id = random.between(0, KEYS - 1);
    const part = random.pick(["'a'", "'b'", "''"]);
    const row = `id = ${id} AND part = ${part}`;
    const free = `NOT EXISTS (SELECT FROM ${this.name} WHERE id = ${random.between(0, KEYS - 1)} AND part = 'a')`;
    const dice = random.next();
    if (dice < 0.45) return this.#upsert(random, id, part);
    if (dice < 0.75) return `UPDATE ${this.name} SET ${this.#assignments(random)} WHERE ${row}`;
    if (dice < 0.87) return `DELETE FROM ${this.name} WHERE ${row}`;
    if (dice < 0.93) return `DELETE FROM ${this.name} WHERE ${row}; ${this.#upsert(random, id, part)}`;
    if (dice < 0.99) {
      const moved = random.between(0, KEYS - 1);
      return `UPDATE ${this.name} SET id = ${moved} WHERE ${row} AND NOT EXISTS (SELECT FROM ${this.name} WHERE id = ${moved} AND part = ${part})`;
    }
    return `UPDATE ${this.name} SET ${this.#assignments(random)} WHERE id % 10 = ${id % 10} AND ${free}`;
  }

  /** A change of the table's shape. */
  reshape(random: Random): string {
    const alter = `ALTER TABLE ${this.name}`;
    const name = `added_${++this.#added}`;
    const dice = random.next();
    const wider = this.#columns.filter((column) => column.wider !== undefined);
    if (dice < 0.1 && wider.length > 0) {
      const column = random.pick(wider);
      const { wider: _, ...rest } = column;
      this.#columns[this.#columns.indexOf(column)] = { ...rest, type: column.wider! };
      return `${alter} ALTER COLUMN ${column.name} TYPE ${column.wider}`;
    }
    if (dice < 0.2) {
      this.labels.push(name);
      return `ALTER TYPE ${this.#labelType} ADD VALUE '${name}'`;
    }
    if (dice < 0.5 || this.#columns.length < 4) {
      const { value, type } = random.pick(COLUMNS);
      this.#columns.push({ name, type, value });
      const filled = random.chance(0.5) ? value(random) : '';
      // A default may not look anything up.
      const usable = filled !== '' && !filled.includes('SELECT');
      return `${alter} ADD COLUMN ${name} ${type}${usable ? ` DEFAULT ${filled}` : ''}`;
    }
    const column = random.pick(this.#columns);
    const index = this.#columns.indexOf(column);
    if (dice < 0.75) {
      this.#columns.splice(index, 1);
      return `${alter} DROP COLUMN ${column.name}`;
    }
    this.#columns[index] = { ...column, name };
    return `${alter} RENAME COLUMN ${column.name} TO ${name}`;
  }

  #upsert(random: Random, id: number, part: string): string {
    const names = this.#columns.map(({ name }) => name);
    const values = this.#columns.map((column) => this.#value(column, random));
    const kept = names.map((name) => `${name} = EXCLUDED.${name}`).join(', ');
    return `INSERT INTO ${this.name} (id, part, ${names.join(', ')}) VALUES (${id}, ${part}, ${values.join(', ')})
      ON CONFLICT (id, part) DO UPDATE SET ${kept}`;
  }

  #assignments(random: Random): string {
    const chosen = this.#columns.filter(() => random.chance(0.3));
    const some = chosen.length > 0 ? chosen : [random.pick(this.#columns)];
    return some.map((column) => `${column.name} = ${this.#value(column, random)}`).join(', ');
  }

  #value({ value, type }: SoakColumn, random: Random): string {
    return random.chance(0.1) ? 'NULL' : `(${value(random)})::${type}`;
  }
}
