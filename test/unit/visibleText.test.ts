import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prettyJson, visibleText } from '../../core/visibleText.ts';

test('nothing hidden reaches a terminal', () => {
  assert.equal(
    visibleText('a\u001b[31mb\r\n\u200b\u202e\ufeff\u0000'),
    'a\\u001b[31mb\\u000d\\n\\u200b\\u202e\\ufeff\\u0000',
  );
  assert.equal(visibleText('Ж 漢 😀 é'), 'Ж 漢 😀 é');
  assert.equal(visibleText(Buffer.from([0x41, 0xff, 0x1b])), 'A\\xff\\u001b');
  assert.equal(visibleText('one\ntwo', { lines: true }), 'one\ntwo');
});

test('JSON is laid out without a change of what it says', () => {
  const text = '{"id":9223372036854775807,"n":1.10,"empty":{},"list":[1,"a: {b}, \\"c\\""],"none":[ ]}';
  assert.equal(
    prettyJson(text),
    [
      '{',
      '  "id": 9223372036854775807,',
      '  "n": 1.10,',
      '  "empty": {},',
      '  "list": [',
      '    1,',
      '    "a: {b}, \\"c\\""',
      '  ],',
      '  "none": []',
      '}',
    ].join('\n'),
  );
  assert.equal(prettyJson('{"a":1'), null);
});
