import assert from 'node:assert/strict';
import { test } from 'node:test';
import { escapeProperty } from '../../activities/secrets.ts';
import { RestartPolicy } from '../../activities/watchConnectorRestarts.ts';
import { connectorConfig } from '../../core/connectorConfig.ts';
import { parsePipeline } from '../../core/definition.ts';
import { topicOf } from '../../core/names.ts';

const source = {
  host: 'db.example',
  port: 5433,
  database: 'sales',
  user: 'capture',
  passwordReference: '${file:/secrets/shop.properties:password}',
};

test('the connector has the names of its pipeline, and the password by reference only', () => {
  const stream = { connector: 'c1', topicPrefix: 'p1', slot: 's1', publication: 'pub1', consumerGroup: 'g1' };
  const pipeline = parsePipeline({ name: 'shop', source: 'SHOP_URL', stream, tables: { orders: {} } }, 'test');
  const config = connectorConfig(pipeline, source);
  assert.equal(config['topic.prefix'], 'p1');
  assert.equal(config['slot.name'], 's1');
  assert.equal(config['publication.name'], 'pub1');
  assert.equal(config['database.password'], source.passwordReference);
  assert.equal(config['database.port'], '5433');
  assert.equal(config['snapshot.mode'], 'no_data');
  assert.ok(!('database.sslmode' in config));
  assert.equal(config['value.converter.replace.null.with.default'], 'false');
});

test('only stream tables are captured, each by a pattern that matches nothing else', () => {
  const tables = { orders: {}, 'sales."odd.name,($)"': {}, products: { load: 'reference' as const } };
  const pipeline = parsePipeline({ name: 'shop', source: 'SHOP_URL', tables }, 'test');
  const list = connectorConfig(pipeline, source)['table.include.list'];
  assert.equal(list, 'public\\.orders,sales\\.odd\\.name\\,\\(\\$\\)');
});

test('excluded columns are kept out of the messages by name', () => {
  const tables = { orders: { exclude: ['card', 'a.b'] }, items: {} };
  const pipeline = parsePipeline({ name: 'shop', source: 'SHOP_URL', tables }, 'test');
  const config = connectorConfig(pipeline, source);
  assert.equal(config['column.exclude.list'], 'public\\.orders\\.card,public\\.orders\\.a\\.b');
  const plain = parsePipeline({ name: 'shop', source: 'SHOP_URL', tables: { orders: {} } }, 'test');
  assert.ok(!('column.exclude.list' in connectorConfig(plain, source)));
});

test('blanks in a name are written by their code, since Debezium strips those at its ends', () => {
  const pipeline = parsePipeline({ name: 'shop', source: 'SHOP_URL', tables: { '" a b "': {} } }, 'test');
  assert.equal(connectorConfig(pipeline, source)['table.include.list'], 'public\\.\\x{20}a\\x{20}b\\x{20}');
});

test('a table whose name is not in ASCII is captured, and its topic known, by what Debezium makes of the name', () => {
  const pipeline = parsePipeline({ name: 'shop', source: 'SHOP_URL', tables: { ёж: {} } }, 'test');
  assert.equal(connectorConfig(pipeline, source)['table.include.list'], 'public\\.\uffd1\uff91\uffd0\uffb6');
  assert.equal(topicOf(pipeline, pipeline.tables[0]!), 'shop.public.____');
});

test('an SSL mode of the URL is passed on', () => {
  const pipeline = parsePipeline({ name: 'shop', source: 'SHOP_URL', tables: { orders: {} } }, 'test');
  assert.equal(connectorConfig(pipeline, { ...source, sslMode: 'verify-full' })['database.sslmode'], 'verify-full');
});

test('a password is escaped so that a Java properties file gives it back', () => {
  assert.equal(escapeProperty('plain#!=:'), 'plain#!=:');
  assert.equal(escapeProperty(' a\\b\n\t'), '\\ a\\\\b\\n\\t');
  assert.equal(escapeProperty('ü€😀'), '\\u00fc\\u20ac\\ud83d\\ude00');
});

test('a failed task is restarted at once, then ever later, and given up after five times in five minutes', () => {
  const policy = new RestartPolicy();
  const decisions: [number, string][] = [];
  for (let second = 0; decisions.at(-1)?.[1] !== 'give up'; second++) {
    const decision = policy.decide(second * 1000);
    if (decision !== 'wait') decisions.push([second, decision]);
  }
  const restarts = decisions.slice(0, -1).map(([second]) => second);
  assert.deepEqual(restarts, [0, 2, 6, 14, 30]);
  assert.deepEqual(decisions.at(-1), [62, 'give up']);
  assert.equal(policy.count, 5);
});

test('restarts of long ago are forgotten', () => {
  const policy = new RestartPolicy();
  for (let minute = 0; minute < 30; minute += 2) assert.equal(policy.decide(minute * 60_000), 'restart');
  assert.equal(policy.count, 15);
});
