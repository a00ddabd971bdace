import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TidegateError } from '../../core/errors.ts';
import { messageOf, openLab } from './streamLab.ts';

const ids = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index);
/** A message of a column that the landing table does not have. */
const younger = (id: number) => messageOf({ id }).replace('"amount":1', '"amount":1,"added":"x"');

test('where a partition meets a message of other columns, what came before in the others lands before the stream ends', async () => {
  await using lab = await openLab({ partitions: 4 });
  await lab.createTarget();
  await lab.send(ids(1, 40).map(younger), 0);
  await lab.send([...ids(101, 500).map((id) => messageOf({ id })), ...ids(701, 30).map(younger)], 1);
  await lab.send(
    ids(1001, 70).map((id) => messageOf({ id })),
    2,
  );
  await using stream = lab.start();
  await assert.rejects(stream.result, (error) => {
    assert.ok(error instanceof Error);
    assert.match(`${(error as { type?: string }).type} ${(error as TidegateError).code}`, /SCHEMA_DRIFT/);
    return true;
  });
  assert.equal(await lab.count(), 570);
  assert.deepEqual(await Promise.all([0, 1, 2].map((partition) => lab.committed(partition))), [undefined, 500n, 70n]);
});

test('it ends at once when the only partition stands still', async () => {
  await using lab = await openLab();
  await lab.createTarget();
  await lab.send([...ids(1, 5).map((id) => messageOf({ id })), younger(6), messageOf({ id: 7 })]);
  await using stream = lab.start();
  await assert.rejects(stream.result);
  assert.equal(await lab.committed(), 5n);
  assert.equal(await lab.count(), 5);
});
