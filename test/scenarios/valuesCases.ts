/** Values of every type that a stream carries, as SQL writes them. NULL is added to each. */
export interface ValueCase {
  type: string;
  values: readonly string[];
}

const raw = String.raw;

const NUMBERS: readonly ValueCase[] = [
  { type: 'boolean', values: ['true', 'false'] },
  { type: 'smallint', values: ['-32768', '32767', '0'] },
  { type: 'integer', values: ['-2147483648', '2147483647', '0'] },
  { type: 'bigint', values: ['-9223372036854775808', '9223372036854775807', '9007199254740993', '0'] },
  { type: 'oid', values: ['0', '4294967295'] },
  { type: 'real', values: ['0.1', "'NaN'", "'Infinity'", "'-Infinity'", "'-0'", '3.4028235e38', '1e-45', '16777217'] },
  {
    type: 'double precision',
    values: [
      '0.1',
      "'NaN'",
      "'Infinity'",
      "'-Infinity'",
      "'-0'",
      '1.7976931348623157e308',
      '5e-324',
      '1e23',
      '123456789.123456789',
    ],
  },
  { type: 'numeric(10,2)', values: ['99999999.99', '-99999999.99', '0', '0.10', '-0.01'] },
  { type: 'numeric(38,9)', values: ['12345678901234567890123456789.123456789', '-0.000000001'] },
  { type: 'numeric(76,38)', values: [`${'9'.repeat(38)}.${'9'.repeat(38)}`, `-0.${'0'.repeat(37)}1`] },
  { type: 'numeric(100,5)', values: [`${'9'.repeat(95)}.99999`, "'NaN'"] },
  {
    type: 'numeric',
    values: [
      '1.20',
      '0',
      '0.00',
      '1e30',
      '1e-30',
      `${'7'.repeat(1000)}.${'3'.repeat(500)}`,
      "'NaN'",
      "'Infinity'",
      "'-Infinity'",
    ],
  },
  { type: 'money', values: ["'1234.5'::money", "'-92233720368547758.08'::money", "'92233720368547758.07'::money"] },
  { type: 'bit(1)', values: ["B'0'", "B'1'"] },
  { type: 'bit(11)', values: ["B'00000000000'", "B'10000000001'", "B'00000000010'"] },
  { type: 'bit(64)', values: [`B'${'1'.repeat(64)}'`, `B'${'0'.repeat(64)}'`, `B'${'01'.repeat(32)}'`] },
];

const TIMES: readonly ValueCase[] = [
  { type: 'date', values: ["'1970-01-01'", "'1969-12-31'", "'1900-01-01'", "'2299-12-31'", "'2024-02-29'"] },
  {
    type: 'timestamp',
    values: [
      "'1970-01-01'",
      "'1969-12-31 23:59:59.999999'",
      "'1900-01-01'",
      "'2299-12-31 23:59:59.999999'",
      "'2024-03-31 02:30:00.1'",
    ],
  },
  { type: 'timestamp(0)', values: ["'2024-02-29 12:34:56'"] },
  {
    type: 'timestamptz',
    values: [
      "'1970-01-01Z'",
      "'1969-12-31 23:59:59.999999Z'",
      "'1900-01-01Z'",
      "'2299-12-31 23:59:59.999999Z'",
      "'2024-03-31 02:30:00.000001+05:30'",
      "'9999-12-31 23:59:59.999999Z'",
    ],
  },
  { type: 'time', values: ["'00:00:00'", "'23:59:59.999999'", "'12:34:56.1'"] },
  { type: 'timetz', values: ["'00:00:00+00'", "'23:59:59.999999-11:30'", "'12:34:56.1+14'", "'24:00:00+02'"] },
  {
    type: 'interval',
    values: [
      "'0'",
      "'1 year 2 mons 3 days 04:05:06.789'",
      "'-1 year 2 days -00:00:01.5'",
      "'-178000000 years'",
      "'2147483647 days'",
      "'0.000001 s'",
      "'-0.000001 s'",
      "'378 days -602744 ms'",
      "'-133351 ms'",
      "'-1.999999 s'",
      "'133351 ms'",
      "'59.999999 s'",
    ],
  },
];

const STRINGS = [
  "''",
  "' '",
  "'null'",
  "'NULL'",
  raw`'\N'`,
  raw`'\\N'`,
  raw`E'a\tb\nc\rd\be\ff\\g"h''i/j\x01\x0b\x1f\x7f'`,
  raw`E'\\n\\t\\'`,
  "'привет, мир; ёж'",
  raw`U&'\200B\200D\FEFF\2028\2029\00A0'`,
  "'😀👩‍👩‍👧‍👦𝒳'",
  raw`U&'e\0301'`,
  raw`'{"a":1}'`,
  "'__debezium_unavailable_value2'",
  "repeat('long ', 2000)",
];

const TEXTS: readonly ValueCase[] = [
  { type: 'text', values: STRINGS },
  { type: 'varchar(20)', values: ["''", "'ab  '", "'ещё'"] },
  { type: 'char(5)', values: ["'ab'", "''", "'😀'"] },
  { type: 'name', values: ["'a name'"] },
  { type: '"char"', values: ["'x'"] },
  { type: 'citext', values: ["'AbC'", "''"] },
  {
    type: 'uuid',
    values: [
      "'00000000-0000-0000-0000-000000000000'",
      "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
      "'6BA7B810-9dad-11d1-80b4-00c04fd430c8'",
    ],
  },
  { type: 'mood', values: ["'sad'", "'so so'", raw`'it''s "ok"'`] },
  {
    type: 'json',
    values: [
      "'null'",
      `'{"b": 1.0,  "a":null, "b": 2}'`,
      "'12345678901234567890.10'",
      `'""'`,
      "'[]'",
      raw`'"\u00e9\n"'`,
    ],
  },
  {
    type: 'jsonb',
    values: [
      "'null'",
      "'{}'",
      `'{"b": 1.0, "a": [null, 1e400, true, {"": ""}]}'`,
      "'12345678901234567890.10'",
      raw`'"tab\there é 😀 \\ \" /"'`,
      "'[null]'",
    ],
  },
  { type: 'xml', values: [`'<a b="c">1 &lt; 2</a>'`, "''"] },
  {
    type: 'bytea',
    values: [raw`'\x'`, raw`'\x00'`, raw`'\xdeadbeef0a0d22275c'`, raw`'\x5c78'`, "decode(repeat('ff00', 3000), 'hex')"],
  },
  { type: 'hstore', values: ["''", raw`hstore(ARRAY['b','a','é','q"'], ARRAY['1', NULL, '', E'\\ "'])`] },
  { type: 'inet', values: ["'10.0.0.1'", "'10.0.0.1/8'", "'::1'", "'fe80::1/64'"] },
  { type: 'cidr', values: ["'10.0.0.0/8'", "'::/0'"] },
  { type: 'macaddr', values: ["'08:00:2b:01:02:03'"] },
  { type: 'macaddr8', values: ["'08:00:2b:01:02:03:04:05'"] },
  { type: 'tsvector', values: ["''", raw`'a:1A,2 ''b c'':3 d\\e'`] },
  { type: 'tsquery', values: ["'a & !b | c:*'"] },
  { type: 'int4range', values: ["'[1,5)'", "'empty'", "'(,)'"] },
  { type: 'int8range', values: ["'[-9223372036854775808,9223372036854775807)'"] },
  { type: 'numrange', values: ["'[1.20,3]'", "'(,0)'"] },
  { type: 'tsrange', values: ["'[2020-01-01 00:00:00.5,)'"] },
  { type: 'tstzrange', values: ["'[2020-01-01 00:00:00+03,2021-01-01Z]'"] },
  { type: 'daterange', values: ["'[2020-01-01,infinity)'"] },
  { type: 'int4multirange', values: ["'{[1,3),[5,8)}'", "'{}'"] },
  { type: 'pair', values: ["'(1,x)'", raw`ROW(NULL, 'a"b,\ c')`, "ROW(1, '')"] },
  { type: 'positive', values: ['1', '2147483647'] },
  { type: 'pg_lsn', values: ["'16/B374D848'", "'FFFFFFFF/FFFFFFFF'"] },
  { type: 'xid', values: ["'4294967295'"] },
  { type: 'xid8', values: ["'18446744073709551615'"] },
  { type: 'jsonpath', values: ["'$.a[*] ? (@ > 1)'"] },
];

const ARRAYS: readonly ValueCase[] = [
  { type: 'integer[]', values: ["'{}'", "'{1,NULL,-2147483648}'", "'[0:1]={7,8}'"] },
  { type: 'bigint[]', values: ["'{9223372036854775807,NULL,-9223372036854775808}'", "'{}'"] },
  { type: 'smallint[]', values: ["'{-32768,32767}'"] },
  { type: 'boolean[]', values: ["'{t,f,NULL}'"] },
  { type: 'text[]', values: [`ARRAY[${STRINGS.join(', ')}, NULL]`, "'{}'", "'{NULL}'", `'{"NULL","null",""}'`] },
  { type: 'varchar(5)[]', values: ["'{ab,NULL}'"] },
  { type: 'char(3)[]', values: ["'{ab}'"] },
  { type: 'numeric(10,2)[]', values: ["'{1.20,-0.01,NULL}'"] },
  { type: 'double precision[]', values: ["'{0.1,1e300,NaN,Infinity,-Infinity,-0,NULL}'"] },
  { type: 'real[]', values: ["'{0.1,1e-45,NULL}'"] },
  { type: 'uuid[]', values: ["'{6ba7b810-9dad-11d1-80b4-00c04fd430c8,NULL}'"] },
  { type: 'date[]', values: ["'{1969-12-31,NULL}'"] },
  { type: 'timestamp[]', values: ["'{1969-12-31 23:59:59.1,NULL}'"] },
  { type: 'timestamptz[]', values: ["'{1969-12-31 23:59:59.1Z,NULL}'"] },
  { type: 'time[]', values: ["'{12:34:56.1,NULL}'"] },
  {
    type: 'jsonb[]',
    values: [raw`ARRAY['{"a": "\"\\"}'::jsonb, '"x"', '12345678901234567890.10']`, "ARRAY['null'::jsonb, NULL]"],
  },
  { type: 'bytea[]', values: [raw`ARRAY['\xdead'::bytea, '\x', NULL]`] },
  { type: 'inet[]', values: ["'{10.0.0.1,NULL}'"] },
  { type: 'citext[]', values: ["'{Ab,NULL}'"] },
  { type: 'int4range[]', values: ["ARRAY['[1,2)'::int4range, NULL]"] },
];

export const VALUE_CASES: readonly ValueCase[] = [...NUMBERS, ...TIMES, ...TEXTS, ...ARRAYS];
