import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadDefinitions } from '../../adapters/definitions.ts';
import type { SourceColumn, SourceTable } from '../../core/catalog.ts';
import { proposeTables } from '../../core/initTables.ts';
import { captureUrl, definitionText, pipelineNameOf, setupSql } from '../../core/initText.ts';

const column = (name: string, change: Partial<SourceColumn> = {}): SourceColumn => ({
  ...{ name, attnum: 1, type: 'integer', typeName: 'int4', typeKind: 'b', typeCategory: 'N', dimensions: 0 },
  ...{ notNull: true, generated: false, default: null },
  ...change,
});

const table = (name: string, change: Partial<SourceTable> = {}): SourceTable => ({
  ...{ schema: 'public', name, oid: 1, kind: 'r', columns: [column('id')], primaryKey: ['id'], deferrableKey: null },
  ...{ replicaIdentity: 'd', identityIndex: [], estimatedRows: 0, pages: 0 },
  ...change,
});

const AMOUNT = column('amount', { type: 'numeric(5,2)', typeName: 'numeric' });
const ODD = `it's "odd" \\`;

const SOURCES = [
  table('orders', { columns: [column('id'), AMOUNT] }),
  table('orders_current'),
  table('lines', { kind: 'p', columns: [column('id'), { ...AMOUNT, name: 'price' }] }),
  table('no key', { primaryKey: [] }),
  table(ODD),
  table('orders', { schema: 'archive' }),
  table('dead_letters'),
  table('taken', { columns: [column('id'), column('_version')] }),
  table('totals', { kind: 'v', primaryKey: [] }),
];

const proposal = (sources: SourceTable[]) => ({
  ...{ name: 'sales', variable: 'SALES_DATABASE_URL', database: 'Sales DB' },
  tables: proposeTables(sources),
});

test('each table is streamed where it can be, else loaded, else left out with the reason', () => {
  const found = proposal(SOURCES).tables.map(({ label, load, target }) => [label, load, target]);
  assert.deepEqual(found, [
    ['orders', 'stream', null],
    ['orders_current', 'stream', 'public_orders_current'],
    ['lines', 'stream', null],
    ['"no key"', 'reference', null],
    ['"it\'s ""odd"" \\"', 'stream', null],
    ['archive.orders', 'stream', 'archive_orders'],
    ['dead_letters', 'stream', 'public_dead_letters'],
    ['taken', null, null],
    ['totals', 'reference', null],
  ]);
});

test('of tables that would share a topic, one is streamed and the other says why not', () => {
  const [one, other, third] = proposeTables([table('a b'), table('a_b'), table('a.b', { schema: 'x' })]);
  assert.deepEqual([one?.load, other?.load, third?.load], ['stream', 'reference', 'stream']);
  assert.equal(other?.reason, 'a_b and "a b" would share a topic in Kafka. Rename one of them to stream both.');
});

test('the file that is written loads from a folder that knows nothing of Tidegate, and names every table as it is', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidegate-init-'));
  try {
    writeFileSync(join(folder, 'pipeline.ts'), definitionText(proposal(SOURCES)));
    const { pipeline } = (await loadDefinitions([folder])).get('sales');
    assert.equal(pipeline.source.captureUrl, 'SALES_DATABASE_URL');
    assert.deepEqual(
      pipeline.tables.map(({ schema, name, load }) => [schema, name, load]),
      SOURCES.filter(({ name }) => !['taken', 'totals'].includes(name))
        .map(({ schema, name }) => [schema, name, name === 'no key' ? 'reference' : 'stream'])
        .sort((a, b) => Number(a[2] === 'reference') - Number(b[2] === 'reference')),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('comments say why a table is not streamed, and warn of each kind of value once in full', () => {
  const lines = definitionText(proposal(SOURCES)).split('\n');
  const before = (line: string) => lines[lines.indexOf(line) - 1];
  assert.match(lines.join('\n'), /\/\/ amount: numeric\(5,2\): NaN is refused; .*CHECK\n? .*\n {4}orders: \{\},/);
  assert.equal(before('    lines: {},'), '    // price: numeric(5,2), as above');
  assert.match(lines.join(' '), /"no key" has no primary key, .*'"no key"': \{ load: 'reference' \},/);
  assert.match(lines.join(' '), /column "_version" of taken has a name that Tidegate needs .*\/\/ taken: \{\},/);
  assert.ok(lines.includes("    // totals: { load: 'reference' },"));
  assert.ok(lines.every((line) => line.length <= 120));
});

test('the role that reads gets the tables of the definition and nothing more', () => {
  const sql = setupSql(proposal([table('orders'), table('no key', { primaryKey: [] })]), 'replica').join('\n');
  assert.match(sql, /^ALTER SYSTEM SET wal_level = 'logical';/);
  assert.match(sql, /GRANT CONNECT ON DATABASE "Sales DB" TO tidegate;\nGRANT USAGE ON SCHEMA "public" TO tidegate;/);
  assert.match(sql, /GRANT SELECT ON\n {2}"public"."orders",\n {2}"public"."no key"\n {2}TO tidegate;/);
  assert.match(sql, /CREATE PUBLICATION "tidegate_sales" FOR TABLE\n {2}"public"."orders"\n {2}WITH/);
  assert.doesNotMatch(setupSql(proposal([table('orders')]), 'logical').join('\n'), /wal_level/);
});

test('an unlogged table is loaded, and row-level security is named with what it takes', () => {
  const made = proposal([table('fast', { unlogged: true }), table('private', { rowSecurity: true })]);
  const text = definitionText(made).replaceAll(/\n *\/\/ /g, ' ');
  assert.match(
    text,
    /fast is unlogged, .*ALTER TABLE "public"\."fast" SET LOGGED.*\n {4}fast: \{ load: 'reference' \},/,
  );
  assert.match(text, /row-level security: the role that reads needs BYPASSRLS.*\n {4}private: \{\},/);
  const sql = setupSql(made, 'logical').join('\n');
  assert.match(sql, /^ALTER ROLE tidegate BYPASSRLS; {2}-- as a superuser, .* of private$/m);
});

test('no password is passed on', () => {
  const url = captureUrl(new URL('postgresql://owner:secret@db.example:5433/sales?sslmode=require'));
  assert.equal(url, 'postgres://tidegate:PASSWORD@db.example:5433/sales?sslmode=require');
});

test('a pipeline takes its name from the database, as far as the name goes', () => {
  assert.deepEqual(['Sales DB', '2024-orders_', 'склад'].map(pipelineNameOf), ['sales_db', 'orders', 'source']);
});
