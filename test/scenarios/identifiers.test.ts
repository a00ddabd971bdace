import { test } from 'node:test';
import { pgIdentifier, pgTable } from '../../core/identifiers.ts';
import { Scenario } from './harness.ts';

const TABLES = [
  { schema: 'public', name: 'Capitals' },
  { schema: 'public', name: 'capitals' },
  { schema: 'public', name: 'select' },
  { schema: 'public', name: 'two  words ' },
  { schema: 'public', name: `it's "quoted" \\ \`` },
  { schema: 'public', name: 'dotted.name,$(x)|*' },
  { schema: 'Odd Schema', name: 'from' },
  { schema: 'public', name: 'склад' },
];
const COLUMNS = ['Id', 'select', 'a b ', `q"u'o\\t\`e`, 'op', 'after', 'source', 'version', 'цена', 'Ünï', 'x.y', '😀'];

test('identifiers with capitals, blanks, keywords, quotes and letters beyond ASCII', async () => {
  const [key, ...others] = COLUMNS.map(pgIdentifier) as [string, ...string[]];
  const ddl = TABLES.map((table) => {
    const columns = others.map((name) => `${name} text`).join(', ');
    return `CREATE TABLE ${pgTable(table)} (${key} int PRIMARY KEY, ${columns}); INSERT INTO ${pgTable(table)} VALUES (1, 'first'), (2, 'second'), (3, NULL);`;
  });
  await using scenario = await Scenario.open({
    ...{ label: 'names', tables: TABLES.map(({ schema, name }) => `${pgIdentifier(schema)}.${pgIdentifier(name)}`) },
    ddl: `CREATE SCHEMA "Odd Schema"; ${ddl.join('\n')}`,
  });
  for (const table of TABLES) {
    const values = others.map((_, index) => `'${index}'`).join(', ');
    await scenario.sql(`INSERT INTO ${pgTable(table)} VALUES (4, ${values}), (5, ${values})`);
    await scenario.sql(
      `UPDATE ${pgTable(table)} SET ${others.map((name) => `${name} = 'new'`).join(', ')} WHERE ${key} IN (1, 4)`,
    );
    await scenario.sql(`DELETE FROM ${pgTable(table)} WHERE ${key} IN (2, 5)`);
  }
  await scenario.assertEqual();
});
