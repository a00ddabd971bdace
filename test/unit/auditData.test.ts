import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePipeline } from '../../core/definition.ts';
import { topicOf } from '../../core/names.ts';
import { people } from '../../pipelines/audit/generator.ts';
import definition from '../../pipelines/audit/pipeline.ts';

test('the same seed gives the same people, another seed others', () => {
  const rows = (seed: number) => JSON.stringify([...people({ rows: 50, seed }).rows]);
  assert.equal(rows(1), rows(1));
  assert.notEqual(rows(1), rows(2));
});

test('the definition keeps the names that people know', () => {
  const pipeline = parsePipeline(definition, 'pipelines/audit/pipeline.ts');
  const [table] = pipeline.tables;
  assert.equal(pipeline.database, 'audit');
  assert.deepEqual([table!.label, table!.target], ['my_table', 'changes']);
  assert.deepEqual(table!.history!.operations, ['u']);
  const { connector, slot, publication } = pipeline.stream;
  assert.deepEqual([connector, slot, publication], ['pg-connector', 'debezium_slot', 'debezium_pub']);
  assert.equal(topicOf(pipeline, table!), 'pgserver.public.my_table');
});
