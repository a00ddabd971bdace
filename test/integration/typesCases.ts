/**
 * Values of every type: as SQL writes them, and as Debezium 3.3 sends them (seen with the options of
 * core/connectorConfig.ts). Each type is tested with NULL besides.
 */
export interface TypeCase {
  type: string;
  /** SQL expression of the value, and the JSON text of Debezium. */
  values: readonly (readonly [sql: string, json: string])[];
}

const text = String.raw;

export const TYPE_CASES: readonly TypeCase[] = [
  {
    type: 'boolean',
    values: [
      ['true', 'true'],
      ['false', 'false'],
    ],
  },
  {
    type: 'smallint',
    values: [
      ['-32768', '-32768'],
      ['32767', '32767'],
    ],
  },
  {
    type: 'integer',
    values: [
      ['-2147483648', '-2147483648'],
      ['2147483647', '2147483647'],
      ['0', '0'],
    ],
  },
  {
    type: 'bigint',
    values: [
      ['9223372036854775807', '9223372036854775807'],
      ['-9223372036854775808', '-9223372036854775808'],
    ],
  },
  { type: 'oid', values: [['4294967295', '4294967295']] },
  {
    type: 'real',
    values: [
      ['0.1', '0.1'],
      [`'NaN'`, '"NaN"'],
      [`'-Infinity'`, '"-Infinity"'],
      ['3.4028235e38', '3.4028235E38'],
      [`'-0'`, '-0.0'],
      ['1e-45', '1.4E-45'],
      ['16777216', '1.6777216E7'],
    ],
  },
  {
    type: 'double precision',
    values: [
      ['0.1', '0.1'],
      [`'NaN'`, '"NaN"'],
      [`'Infinity'`, '"Infinity"'],
      ['1.7976931348623157e308', '1.7976931348623157E308'],
      ['5e-324', '4.9E-324'],
      [`'-0'`, '-0.0'],
      ['123456789.123456789', '1.2345678912345679E8'],
      ['1e10', '1.0E10'],
      ['2.2250738585072011e-308', '2.225073858507201E-308'],
    ],
  },
  {
    type: 'numeric(12,8)',
    values: [
      ['0.00000001', '"0.00000001"'],
      ['1.5', '"1.50000000"'],
      ['0', '"0.00000000"'],
      ['-1234.5', '"-1234.50000000"'],
    ],
  },
  {
    type: 'numeric(10,2)',
    values: [
      ['99999999.99', '"99999999.99"'],
      ['-99999999.99', '"-99999999.99"'],
      ['-0.01', '"-0.01"'],
    ],
  },
  {
    type: 'numeric(40,0)',
    values: [['1234567890123456789012345678901234567890', '"1234567890123456789012345678901234567890"']],
  },
  {
    type: 'numeric(76,38)',
    values: [
      ['0.00000000000000000000000000000000000001', '"0.00000000000000000000000000000000000001"'],
      [`${'9'.repeat(38)}.${'9'.repeat(38)}`, `"${'9'.repeat(38)}.${'9'.repeat(38)}"`],
    ],
  },
  { type: 'numeric(3,5)', values: [['0.00123', '"0.00123"']] },
  {
    type: 'numeric(80,2)',
    values: [
      ['9.99', '"9.99"'],
      [`'NaN'`, '"NAN"'],
    ],
  },
  {
    type: 'numeric',
    values: [
      ['1.20', '"1.20"'],
      ['1e20', '"100000000000000000000"'],
      ['1e-20', '"0.00000000000000000001"'],
      [`'NaN'`, '"NAN"'],
      [`'Infinity'`, '"POSITIVE_INFINITY"'],
      [`'-Infinity'`, '"NEGATIVE_INFINITY"'],
    ],
  },
  {
    type: 'money',
    values: [
      ['1234.5', '"1234.50"'],
      ['-0.01', '"-0.01"'],
    ],
  },
  {
    type: 'text',
    values: [
      [`''`, '""'],
      [text`E'a\tb\nc\\d"e/ \x01\x0b\x1f\r'`, text`"a\tb\nc\\d\"e/ \u0001\u000B\u001F\r"`],
      [`'привет 😀'`, text`"привет \uD83D\uDE00"`],
      [text`'\N'`, text`"\\N"`],
      [`'null'`, '"null"'],
      [`'NULL'`, '"NULL"'],
      [`' padded '`, '" padded "'],
    ],
  },
  { type: 'varchar(10)', values: [[`'ab '`, '"ab "']] },
  {
    type: 'char(5)',
    values: [
      [`'ab'`, '"ab   "'],
      [`''`, '"     "'],
    ],
  },
  { type: 'name', values: [[`'nm'`, '"nm"']] },
  { type: '"char"', values: [[`'x'`, '"x"']] },
  { type: 'citext', values: [[`'AbC'`, '"AbC"']] },
  { type: 'uuid', values: [[`'6BA7B810-9dad-11d1-80b4-00c04fd430c8'`, '"6ba7b810-9dad-11d1-80b4-00c04fd430c8"']] },
  {
    type: 'date',
    values: [
      [`'2020-01-02'`, '"2020-01-02Z"'],
      [`'1900-01-01'`, '"1900-01-01Z"'],
      [`'2299-12-31'`, '"2299-12-31Z"'],
      [`'2024-02-29'`, '"2024-02-29Z"'],
    ],
  },
  {
    type: 'timestamp',
    values: [
      [`'2020-01-02 03:04:05'`, '"2020-01-02T03:04:05Z"'],
      [`'2020-01-02 03:04:05.1'`, '"2020-01-02T03:04:05.1Z"'],
      [`'2020-01-02 03:04:05.123456'`, '"2020-01-02T03:04:05.123456Z"'],
      [`'1900-01-01'`, '"1900-01-01T00:00:00Z"'],
      [`'2299-12-31 23:59:59.999999'`, '"2299-12-31T23:59:59.999999Z"'],
      [`'2020-01-02 03:00:00.001'`, '"2020-01-02T03:00:00.001Z"'],
    ],
  },
  { type: 'timestamp(3)', values: [[`'2020-01-02 03:04:05.12'`, '"2020-01-02T03:04:05.12Z"']] },
  {
    type: 'timestamptz',
    values: [
      [`'2020-01-02 03:04:05+05'`, '"2020-01-01T22:04:05.000000Z"'],
      [`'2020-01-02 03:04:05.1Z'`, '"2020-01-02T03:04:05.100000Z"'],
      [`'2020-01-02 03:04:05.123456Z'`, '"2020-01-02T03:04:05.123456Z"'],
    ],
  },
  {
    type: 'time',
    values: [
      [`'12:34:56'`, '"12:34:56Z"'],
      [`'12:34:56.1'`, '"12:34:56.1Z"'],
      [`'00:00:00.123456'`, '"00:00:00.123456Z"'],
    ],
  },
  {
    type: 'timetz',
    values: [
      [`'12:34:56+02'`, '"10:34:56Z"'],
      [`'12:34:56.123456-11:30'`, '"00:04:56.123456Z"'],
      [`'00:30:00+02'`, '"22:30:00Z"'],
    ],
  },
  {
    type: 'interval',
    values: [
      [`'1 year 2 mons 3 days 04:05:06.7'`, '"P1Y2M3DT4H5M6.7S"'],
      [`'-1 year 2 days -00:00:01.5'`, '"P-1Y0M2DT0H0M-1.5S"'],
      [`'1000000 hours'`, '"P0Y0M0DT1000000H0M0S"'],
      [`'-13 months'`, '"P-1Y-1M0DT0H0M0S"'],
      [`'-602744 ms'`, '"P0Y0M0DT0H-10M-2.743999999S"'],
      [`'-1.999999 s'`, '"P0Y0M0DT0H0M-1.999998999S"'],
      [`'1.000001 s'`, '"P0Y0M0DT0H0M1.000001S"'],
      [`'100 hours 1210 s'`, '"P0Y0M0DT100H20M10S"'],
    ],
  },
  {
    type: 'json',
    values: [
      [`'{"a": 1.0,  "b":null}'`, text`"{\"a\": 1.0,  \"b\":null}"`],
      [`'null'`, '"null"'],
    ],
  },
  {
    type: 'jsonb',
    values: [
      [`'{"b": 1.0,  "a":null}'`, text`"{\"a\": null, \"b\": 1.0}"`],
      [`'null'`, '"null"'],
    ],
  },
  { type: 'xml', values: [[`'<a>1</a>'`, '"<a>1</a>"']] },
  {
    type: 'bytea',
    values: [
      [text`'\xdeadBEEF00'`, '"deadbeef00"'],
      [`''`, '""'],
    ],
  },
  { type: 'mood', values: [[`'sad'`, '"sad"']] },
  {
    type: 'inet',
    values: [
      [`'10.0.0.1/24'`, '"10.0.0.1/24"'],
      [`'::1'`, '"::1"'],
      [`'10.0.0.1'`, '"10.0.0.1"'],
    ],
  },
  { type: 'cidr', values: [[`'10.0.0.0/24'`, '"10.0.0.0/24"']] },
  { type: 'macaddr', values: [[`'08:00:2b:01:02:03'`, '"08:00:2b:01:02:03"']] },
  { type: 'macaddr8', values: [[`'08:00:2b:01:02:03:04:05'`, '"08:00:2b:01:02:03:04:05"']] },
  {
    type: 'int4range',
    values: [
      [`'[1,5)'`, '"[1,5)"'],
      [`'empty'`, '"empty"'],
      [`'(,)'`, '"(,)"'],
    ],
  },
  { type: 'tstzrange', values: [[`'[2020-01-01 00:00:00+03,)'`, text`"[\"2019-12-31 21:00:00+00\",)"`]] },
  { type: 'numrange', values: [[`'[1.20,3]'`, '"[1.20,3]"']] },
  { type: 'int4multirange', values: [[`'{[1,3),[5,8)}'`, '"7b5b312c33292c5b352c38297d"']] },
  {
    type: 'hstore',
    values: [
      [
        text`hstore(array['zz','a','bb','é😀'],array['1','2/',E'\x01\x1f',NULL])`,
        text`"{\"bb\":\"\\u0001\\u001F\",\"zz\":\"1\",\"a\":\"2/\",\"é😀\":null}"`,
      ],
      [`''`, '"{}"'],
    ],
  },
  {
    type: 'bit(1)',
    values: [
      [`B'1'`, 'true'],
      [`B'0'`, 'false'],
    ],
  },
  {
    type: 'bit(3)',
    values: [
      [`B'101'`, '"BQ=="'],
      [`B'000'`, '""'],
    ],
  },
  { type: 'bit(10)', values: [[`B'1011000111'`, '"xwI="']] },
  { type: 'bit(17)', values: [[`B'00000000100000000'`, '"AAE="']] },
  { type: 'pair', values: [[`'(1,x)'`, '"28312c7829"']] },
  { type: 'tsvector', values: [[`'a:1 b:2'`, text`"'a':1 'b':2"`]] },
  { type: 'tsquery', values: [[`'a & b'`, '"276127202620276227"']] },
  { type: 'pg_lsn', values: [[`'16/B374D848'`, '"31362f4233373444383438"']] },
  { type: 'xid', values: [[`'5'`, '"35"']] },
  {
    type: 'integer[]',
    values: [
      [`'{1,NULL,-3}'`, '[1,null,-3]'],
      [`'{}'`, '[]'],
    ],
  },
  {
    type: 'bigint[]',
    values: [[`'{9223372036854775807,-9223372036854775808}'`, '[9223372036854775807,-9223372036854775808]']],
  },
  { type: 'smallint[]', values: [[`'{1}'`, '[1]']] },
  {
    type: 'text[]',
    values: [
      [text`array['a',NULL,'b,"c\d''e','']`, text`["a",null,"b,\"c\\d'e",""]`],
      [text`array[E'\x01\x0b\x1f\n/','null','😀']`, text`["\u0001\u000B\u001F\n/","null","\uD83D\uDE00"]`],
      [`'{}'`, '[]'],
    ],
  },
  { type: 'varchar(5)[]', values: [[`'{ab}'`, '["ab"]']] },
  { type: 'char(3)[]', values: [[`'{ab}'`, '["ab "]']] },
  { type: 'boolean[]', values: [[`'{t,f,NULL}'`, '[true,false,null]']] },
  { type: 'numeric(10,2)[]', values: [[`'{1.20,NULL}'`, '["1.20",null]']] },
  {
    type: 'double precision[]',
    values: [
      [
        `'{0.1,1,1e10,NaN,-Infinity,-0,1.7976931348623157e308}'`,
        '[0.1,1.0,1.0E10,"NaN","-Infinity",-0.0,1.7976931348623157E308]',
      ],
    ],
  },
  { type: 'real[]', values: [[`'{0.1,1,1e-45}'`, '[0.1,1.0,1.4E-45]']] },
  {
    type: 'uuid[]',
    values: [[`'{6ba7b810-9dad-11d1-80b4-00c04fd430c8}'`, '["6ba7b810-9dad-11d1-80b4-00c04fd430c8"]']],
  },
  { type: 'date[]', values: [[`'{2020-01-02,NULL}'`, '["2020-01-02Z",null]']] },
  {
    type: 'timestamp[]',
    values: [[`'{2020-01-02 03:04:05.1,2020-01-02 00:00:00}'`, '["2020-01-02T03:04:05.1Z","2020-01-02T00:00:00Z"]']],
  },
  { type: 'timestamptz[]', values: [[`'{2020-01-02 03:04:05.1Z}'`, '["2020-01-02T03:04:05.100000Z"]']] },
  { type: 'time[]', values: [[`'{12:34:56.1}'`, '["12:34:56.1Z"]']] },
  { type: 'jsonb[]', values: [[`array['{"a": 1}'::jsonb, 'null'::jsonb, NULL]`, text`["{\"a\": 1}","null",null]`]] },
  { type: 'bytea[]', values: [[text`array['\xdead'::bytea]`, '["dead"]']] },
  { type: 'inet[]', values: [[`'{10.0.0.1}'`, '["10.0.0.1"]']] },
  { type: 'citext[]', values: [[`'{Ab}'`, '["Ab"]']] },
  { type: 'int4range[]', values: [[`array['[1,2)'::int4range]`, '["[1,2)"]']] },
];
