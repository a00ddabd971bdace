import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { suite, test } from 'node:test';
import type { SourceColumn } from '../../core/catalog.ts';
import { UNAVAILABLE_VALUE } from '../../core/connectorConfig.ts';
import { copyExpression, mappedColumns, TYPE_RULES, unavailableText } from '../../core/typeMapping.ts';
import { sourceColumn, sourceTable, targetShape } from './typesSource.ts';

function typeOf(
  type: string,
  typeName: string,
  more: Partial<SourceColumn> = {},
  load: 'stream' | 'reference' = 'stream',
): string {
  const source = sourceTable([sourceColumn('v', type, typeName, more)], { replicaIdentity: 'f' });
  return mappedColumns(targetShape(source, load))[1]!.type;
}

suite('the table of types', () => {
  test('gives each type its ClickHouse type', () => {
    const types: [type: string, typeName: string, clickhouse: string][] = [
      ['boolean', 'bool', 'Nullable(Bool)'],
      ['smallint', 'int2', 'Nullable(Int16)'],
      ['bigint', 'int8', 'Nullable(Int64)'],
      ['double precision', 'float8', 'Nullable(Float64)'],
      ['numeric(12,2)', 'numeric', 'Nullable(Decimal(12, 2))'],
      ['numeric(3,5)', 'numeric', 'Nullable(Decimal(5, 5))'],
      ['numeric(76,76)', 'numeric', 'Nullable(Decimal(76, 76))'],
      ['numeric(77,2)', 'numeric', 'Nullable(String)'],
      ['numeric', 'numeric', 'Nullable(String)'],
      ['date', 'date', 'Nullable(Date32)'],
      ['timestamp(3) with time zone', 'timestamptz', "Nullable(DateTime64(6, 'UTC'))"],
      ['uuid', 'uuid', 'Nullable(UUID)'],
      ['jsonb', 'jsonb', 'Nullable(String)'],
      ['text[]', '_text', 'Nullable(String)'],
      ['numeric(10,2)[]', '_numeric', 'Nullable(String)'],
    ];
    for (const [type, typeName, clickhouse] of types) assert.equal(typeOf(type, typeName), clickhouse, type);
  });

  test('a column that has no NULL is not Nullable', () => {
    assert.equal(typeOf('integer', 'int4', { notNull: true }), 'Int32');
  });

  test('enums are of low cardinality, with Nullable inside', () => {
    assert.equal(typeOf('mood', 'mood', { typeKind: 'e' }), 'LowCardinality(Nullable(String))');
    assert.equal(typeOf('mood', 'mood', { typeKind: 'e', notNull: true }), 'LowCardinality(String)');
  });

  test('a negative scale is loaded as a whole number, and not streamed', () => {
    assert.equal(typeOf('numeric(3,-2)', 'numeric', {}, 'reference'), 'Nullable(Decimal(5, 0))');
    assert.throws(() => typeOf('numeric(3,-2)', 'numeric'), { code: 'UNSUPPORTED_SOURCE' });
  });

  test('what Debezium changes or leaves out is not streamed, and is loaded as text', () => {
    const types: [type: string, typeName: string, more?: Partial<SourceColumn>][] = [
      ['point', 'point'],
      ['box', 'box'],
      ['bit varying(5)', 'varbit'],
      ['numeric[]', '_numeric'],
      ['mood[]', '_mood'],
      ['xml[]', '_xml'],
      ['name[]', '_name'],
      ['tsvector[]', '_tsvector'],
      ['interval[]', '_interval'],
      ['int4multirange[]', '_int4multirange'],
      ['geometry', 'geometry'],
    ];
    for (const [type, typeName] of types) {
      assert.throws(() => typeOf(type, typeName), { code: 'UNSUPPORTED_SOURCE' }, type);
      assert.equal(typeOf(type, typeName, {}, 'reference'), 'Nullable(String)', type);
      assert.equal(copyExpression(sourceColumn('v', type, typeName)), '"v"::text');
    }
  });

  test('an array that is declared with two dimensions is not streamed, and is loaded as text', () => {
    assert.throws(() => typeOf('integer[]', '_int4', { dimensions: 2 }), {
      code: 'UNSUPPORTED_SOURCE',
      message: /of type integer\[\] of 2 dimensions/,
    });
    const column = sourceColumn('v', 'integer[]', '_int4', { dimensions: 2 });
    assert.equal(copyExpression(column), '"v"::text');
  });

  test('has a note and a ClickHouse type for each line', () => {
    for (const { postgres, clickhouse, note } of TYPE_RULES) {
      assert.ok(postgres.length > 0 && clickhouse.length > 0, postgres);
      assert.match(note, /^[A-Z].*\.$/, postgres);
    }
  });
});

suite('an unchanged large value', () => {
  const conditionOf = (type: string, typeName: string) => {
    const source = sourceTable([sourceColumn('v', type, typeName)], { replicaIdentity: 'f' });
    return unavailableText(mappedColumns(targetShape(source))[1]!.conversion, 'x');
  };

  test('is known by the placeholder, in each form that Debezium gives it', () => {
    const among = (form: (placeholder: string) => string) => `x = '${form(UNAVAILABLE_VALUE)}'`;
    assert.equal(
      conditionOf('text', 'text'),
      among((each) => each),
    );
    assert.equal(
      conditionOf('text[]', '_text'),
      among((each) => `["${each}"]`),
    );
    assert.equal(
      conditionOf('bigint[]', '_int8'),
      among((each) => `[${[...Buffer.from(each)].join(',')}]`),
    );
    assert.equal(
      conditionOf('hstore', 'hstore'),
      among((each) => `{"${each}":"${each}"}`),
    );
    assert.equal(
      conditionOf('uuid[]', '_uuid'),
      among((each) => `["${nameBasedUuid(each)}"]`),
    );
    assert.equal(conditionOf('bytea', 'bytea'), null);
  });

  test('that would arrive as NULL asks for REPLICA IDENTITY FULL, unless the column has no NULL', () => {
    const columnsOf = (notNull: boolean, replicaIdentity: string) =>
      mappedColumns(targetShape(sourceTable([sourceColumn('v', 'date[]', '_date', { notNull })], { replicaIdentity })));
    assert.throws(() => columnsOf(false, 'd'), { code: 'UNSUPPORTED_SOURCE' });
    assert.equal(columnsOf(true, 'd').length, 2);
    assert.equal(columnsOf(false, 'f').length, 2);
  });

  /** As java.util.UUID.nameUUIDFromBytes. */
  function nameBasedUuid(text: string): string {
    const hash = createHash('md5').update(text).digest();
    hash[6] = (hash[6]! & 0x0f) | 0x30;
    hash[8] = (hash[8]! & 0x3f) | 0x80;
    return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }
});
