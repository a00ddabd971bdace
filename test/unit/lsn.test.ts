import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { formatLsn, parseLsn, versionOf } from '../../core/lsn.ts';

suite('log sequence numbers', () => {
  test('are read and written as PostgreSQL does', () => {
    for (const text of ['0/0', '0/1', '16/B374D848', 'FFFFFFFF/FFFFFFFF'])
      assert.equal(formatLsn(parseLsn(text)), text);
    assert.equal(parseLsn('16/B374D848'), 97500059720n);
    assert.equal(parseLsn('1/0'), 2n ** 32n);
  });

  test('anything else is refused', () => {
    for (const text of ['', '0', '0/', '/0', 'x/0', '123456789/0', '0/0 '])
      assert.throws(() => parseLsn(text), RangeError, text);
  });

  test('a version is ordered by LSN first, by offset within one LSN', () => {
    const versions = [
      versionOf({ lsn: 1n, offset: 0n }),
      versionOf({ lsn: 1n, offset: 1n }),
      versionOf({ lsn: 1n, offset: 2n ** 63n - 1n }),
      versionOf({ lsn: 2n, offset: 0n }),
      versionOf({ lsn: 2n ** 64n - 1n, offset: 5n }),
    ];
    assert.ok(versions.every((version, index) => index === 0 || version > versions[index - 1]!));
    assert.equal(versions.at(-1)! >> 64n, 2n ** 64n - 1n);
  });
});
