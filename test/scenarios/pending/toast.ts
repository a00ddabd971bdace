import { test } from 'node:test';
import { Scenario } from '../harness.ts';

const BIG = "(SELECT string_agg(md5(i || '/' || j), '') FROM generate_series(1, 300) j)";

test('updates that leave large values alone, of rows that are gone or have moved before they are read back', async () => {
  await using scenario = await Scenario.open({
    ...{ label: 'gone', tables: ['large'] },
    ddl: `CREATE TABLE large (id int PRIMARY KEY, n int, body text, doc jsonb, tags text[], raw bytea);
      INSERT INTO large SELECT i, 0, ${BIG}, to_jsonb(${BIG}), ARRAY[${BIG}], convert_to(${BIG}, 'UTF8') FROM generate_series(1, 60) i`,
  });
  await scenario.sql('UPDATE large SET n = n + 1; DELETE FROM large WHERE id <= 20');
  await scenario.sql('UPDATE large SET n = n + 1; UPDATE large SET id = id + 1000 WHERE id BETWEEN 21 AND 30');
  await scenario.sql(
    'UPDATE large SET n = n + 1; UPDATE large SET body = NULL, doc = NULL, tags = NULL, raw = NULL WHERE id BETWEEN 31 AND 40',
  );
  await scenario.sql('UPDATE large SET n = n + 1; DELETE FROM large WHERE id > 50 AND id < 100');
  await scenario.assertEqual();
});
