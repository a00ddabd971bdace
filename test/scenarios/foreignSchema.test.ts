import { test } from 'node:test';
import { changesSql, pagilaSql } from '../pagila/pagila.ts';
import { Scenario } from './harness.ts';

const KEYED = [
  ...['actor', 'address', 'category', 'city', 'country', 'customer', 'film', 'film_actor', 'film_category'],
  ...['inventory', 'language', 'payment', 'rental', 'staff', 'store'],
];

test('a schema that no one here designed: pagila, with changes in every table', async () => {
  await using scenario = await Scenario.open({
    label: 'pagila',
    ddl: `${pagilaSql()};
      ALTER TABLE packages_apt_postgresql_org ADD PRIMARY KEY (id);
      ALTER TABLE packages_yum_postgresql_org REPLICA IDENTITY FULL`,
    tables: {
      ...Object.fromEntries(KEYED.map((table) => [table, {}])),
      packages_apt_postgresql_org: {},
      packages_yum_postgresql_org: { duplicates: 'collapse' },
    },
  });
  await scenario.assertEqual();
  await scenario.sql(changesSql());
  await scenario.assertEqual();
  await scenario.pause();
  await scenario.sql(changesSql());
  await scenario.resume();
  await scenario.assertEqual();
});
