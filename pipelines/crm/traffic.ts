import type pg from 'pg';
import type { RowChanges } from '../generator.ts';
import { Random } from '../random.ts';
import type { TrafficWork } from '../traffic.ts';
import { MODELS } from './data.ts';

interface Known {
  users: number[];
  prostheses: number[];
}

const NOTHING: RowChanges = { inserted: 0, updated: 0, deleted: 0 };
/** Rows that traffic chooses from: enough for variety, and of one size in memory. */
const MOST = 100_000;
/** Users and prostheses with these ids demonstrate the reports, so nobody takes them away. */
const KEPT = 2;
const FIRST_NAMES = ['Ada', 'Boris', 'Chen', 'Dana', 'Elif', 'Farid', 'Greta', 'Hugo', 'Irina', 'Jonas'] as const;
const LAST_NAMES = ['Alvarez', 'Berg', 'Costa', 'Dimitrov', 'Eriksen', 'Fischer', 'Garcia', 'Haddad'] as const;

/** A working day in a clinic: people register, marry and move, prostheses are handed out, replaced and given back. */
export function clinicTraffic(seed: number): TrafficWork<Known> {
  const random = new Random(seed);
  return {
    async begin(client) {
      const users = await ids(client, `SELECT user_id AS id FROM users ORDER BY 1 LIMIT ${MOST}`);
      const prostheses = await ids(client, `SELECT prosthesis_id AS id FROM prostheses ORDER BY 1 LIMIT ${MOST}`);
      // The generated rows brought their own numbers along; new ones follow them.
      for (const [table, column] of [
        ['users', 'user_id'],
        ['prostheses', 'prosthesis_id'],
      ]) {
        await client.query(
          `SELECT setval(pg_get_serial_sequence('${table}', '${column}'), greatest(max(${column}), 1)) FROM ${table}`,
        );
      }
      return { users, prostheses };
    },

    async transaction(client, known) {
      if (known.users.length <= KEPT || known.prostheses.length <= KEPT) return register(client, { known, random });
      const kind = random.next();
      if (kind < 0.35) return rename(client, { known, random });
      if (kind < 0.6) return replaceModel(client, { known, random });
      if (kind < 0.8) return handOver(client, { known, random });
      if (kind < 0.93) return register(client, { known, random });
      if (kind < 0.97) return scrap(client, { known, random });
      return leave(client, { known, random });
    },
  };
}

interface Step {
  known: Known;
  random: Random;
}

async function ids(client: pg.Client, sql: string): Promise<number[]> {
  const { rows } = await client.query<{ id: number }>(sql);
  return rows.map(({ id }) => id);
}

/** A new user and their first prosthesis, in one transaction. */
async function register(client: pg.Client, { known, random }: Step): Promise<RowChanges> {
  await client.query('BEGIN');
  const { rows } = await client.query<{ user_id: number }>(
    "INSERT INTO users (user_email, user_name) VALUES (gen_random_uuid() || '@example.org', $1) RETURNING user_id",
    [nameOf(random)],
  );
  const user = rows[0]!.user_id;
  const made = await client.query<{ prosthesis_id: number }>(
    `INSERT INTO prostheses (user_id, prosthesis_model, manufacture_date)
     VALUES ($1, $2, current_date - $3::int) RETURNING prosthesis_id`,
    [user, random.pick(MODELS), random.between(5, 90)],
  );
  await client.query('COMMIT');
  if (known.users.length < MOST) known.users.push(user);
  if (known.prostheses.length < MOST) known.prostheses.push(made.rows[0]!.prosthesis_id);
  return { ...NOTHING, inserted: 2 };
}

async function rename(client: pg.Client, { known, random }: Step): Promise<RowChanges> {
  const { rowCount } = await client.query('UPDATE users SET user_name = $2 WHERE user_id = $1', [
    random.pick(known.users),
    nameOf(random),
  ]);
  return { ...NOTHING, updated: rowCount ?? 0 };
}

/** The workshop puts other parts into a prosthesis, which makes it another model. */
async function replaceModel(client: pg.Client, { known, random }: Step): Promise<RowChanges> {
  const { rowCount } = await client.query('UPDATE prostheses SET prosthesis_model = $2 WHERE prosthesis_id = $1', [
    random.pick(known.prostheses),
    random.pick(MODELS),
  ]);
  return { ...NOTHING, updated: rowCount ?? 0 };
}

/** A prosthesis comes back to the workshop, or goes to somebody else. */
async function handOver(client: pg.Client, { known, random }: Step): Promise<RowChanges> {
  const { rowCount } = await client.query(
    `UPDATE prostheses SET user_id = (SELECT user_id FROM users WHERE user_id = $2)
     WHERE prosthesis_id = $1 AND prosthesis_id > ${KEPT}`,
    [random.pick(known.prostheses), random.chance(0.2) ? null : random.pick(known.users)],
  );
  return { ...NOTHING, updated: rowCount ?? 0 };
}

async function scrap(client: pg.Client, { known, random }: Step): Promise<RowChanges> {
  const { rowCount } = await client.query(
    `DELETE FROM prostheses WHERE prosthesis_id = $1 AND prosthesis_id > ${KEPT}`,
    [random.pick(known.prostheses)],
  );
  return { ...NOTHING, deleted: rowCount ?? 0 };
}

/** A user leaves; what they wore stays, worn by nobody. */
async function leave(client: pg.Client, { known, random }: Step): Promise<RowChanges> {
  const { rowCount } = await client.query(`DELETE FROM users WHERE user_id = $1 AND user_id > ${KEPT}`, [
    random.pick(known.users),
  ]);
  return { ...NOTHING, deleted: rowCount ?? 0 };
}

function nameOf(random: Random): string {
  return `${random.pick(FIRST_NAMES)} ${random.pick(LAST_NAMES)}`;
}
