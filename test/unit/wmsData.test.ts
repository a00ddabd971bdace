import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parsePipeline, referenceTables, streamTables } from '../../core/definition.ts';
import { topicOf } from '../../core/names.ts';
import { writeCsv } from '../../pipelines/csv.ts';
import { wmsTables } from '../../pipelines/wms/data.ts';
import definition from '../../pipelines/wms/pipeline.ts';

const folder = mkdtempSync(join(tmpdir(), 'wms-data-'));
after(() => rmSync(folder, { recursive: true }));

async function filesOf(options: { rows: number; seed: number }): Promise<Record<string, string>> {
  const texts: Record<string, string> = {};
  for (const table of wmsTables(options)) {
    const file = join(folder, `${table.name}.csv`);
    await writeCsv(file, table);
    texts[table.name] = readFileSync(file, 'utf8');
  }
  return texts;
}

function hashOf(files: Record<string, string>): string {
  return createHash('sha256').update(Object.values(files).join('')).digest('hex');
}

/** Rows without the header, split at commas that stand outside quotes. */
function rowsOf(csv: string): string[][] {
  const lines = csv.trimEnd().split('\n').slice(1);
  return lines.map((line) => line.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/));
}

test('the same seed gives the same bytes, another seed others', async () => {
  const hash = hashOf(await filesOf({ rows: 5000, seed: 7 }));
  assert.equal(hashOf(await filesOf({ rows: 5000, seed: 7 })), hash);
  assert.notEqual(hashOf(await filesOf({ rows: 5000, seed: 8 })), hash);
});

test('as many balances are made as asked for, of different pairs, all of known products and warehouses', async () => {
  for (const rows of [1, 18, 5001]) {
    const files = await filesOf({ rows, seed: 1 });
    const stock = rowsOf(files['stock_balances']!);
    assert.equal(stock.length, rows);
    assert.equal(new Set(stock.map(([product, warehouse]) => `${product}@${warehouse}`)).size, rows);
    const products = new Set(rowsOf(files['products']!).map(([id]) => id));
    const warehouses = new Set(rowsOf(files['warehouses']!).map(([id]) => id));
    assert.ok(stock.every(([product, warehouse]) => products.has(product) && warehouses.has(warehouse)));
  }
});

test('data is realistic: six regions, twenty warehouses, absent pairs, empty balances, every category', async () => {
  const files = await filesOf({ rows: 18_000, seed: 1 });
  const count = (table: string) => rowsOf(files[table]!).length;
  assert.deepEqual([count('regions'), count('warehouses'), count('products')], [6, 20, 1000]);
  const empty = rowsOf(files['stock_balances']!).filter(([, , quantity]) => quantity === '0').length;
  assert.ok(empty > 200 && empty < 4000, `${empty} balances of 18000 are 0`);
  assert.equal(new Set(rowsOf(files['products']!).map(([, , category]) => category)).size, 12);
});

test('CSV keeps NULL apart from an empty string, and quotes what would end a field', async () => {
  const file = join(folder, 'values.csv');
  const rows = [
    ['plain', null, 1],
    ['', 'a "b", c', -2],
    ['line\nend', '\\.', 0.5],
  ];
  await writeCsv(file, { name: 'values', columns: ['one', 'two, three', 'n'], rows });
  const expected = 'one,"two, three",n\nplain,,1\n"","a ""b"", c",-2\n"line\nend","\\.",0.5\n';
  assert.equal(readFileSync(file, 'utf8'), expected);
});

test('a file that is not whole does not appear under its name', async () => {
  function* broken(): Generator<number[]> {
    yield [1];
    throw new Error('no more');
  }
  await assert.rejects(
    writeCsv(join(folder, 'broken.csv'), { name: 'broken', columns: ['n'], rows: broken() }),
    /no more/,
  );
  assert.ok(!readdirSync(folder).includes('broken.csv'));
});

test('the definition keeps the names that people know', () => {
  const pipeline = parsePipeline(definition, 'pipelines/wms/pipeline.ts');
  assert.deepEqual(
    [pipeline.name, pipeline.database, pipeline.source],
    ['wms', 'wms', { url: 'WMS_DATABASE_URL', captureUrl: 'WMS_CAPTURE_URL' }],
  );
  const [stock] = streamTables(pipeline);
  assert.ok(stock);
  assert.equal(pipeline.stream.connector, 'wms.stock_balances');
  assert.equal(topicOf(pipeline, stock), 'wms.public.stock_balances');
  assert.deepEqual([stock.target, stock.currentView], ['kafka_wms_stock_balances', 'stock_balances_v']);
  const references = referenceTables(pipeline);
  assert.deepEqual(
    references.map(({ target }) => target),
    ['products', 'warehouses', 'regions'],
  );
  const schedules = references.map(({ schedule }) => schedule);
  assert.ok(schedules.every((schedule) => /^\d+ \d+ \* \* \*$/.test(schedule ?? '')));
  assert.equal(new Set(schedules).size, 3, 'reference loads start apart from each other');
  assert.deepEqual(
    pipeline.views.map(({ name }) => name),
    ['bi_stock_full', 'Остатки (отсутствие)'],
  );
});
