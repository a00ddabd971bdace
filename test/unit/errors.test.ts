import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { classify } from '../../core/clickhouseErrors.ts';
import { messageOf, TidegateError } from '../../core/errors.ts';

suite('errors', () => {
  test('are said on one line, with what to do', () => {
    const error = new TidegateError('SLOT_LOST', 'the slot\n  is gone.', { remedy: 'Take a snapshot.' });
    assert.equal(error.line, 'SLOT_LOST: the slot is gone. Take a snapshot.');
    assert.equal(error.retryable, false);
    assert.equal(messageOf(error), error.line);
  });

  test('of several attempts the first is said', () => {
    assert.equal(messageOf(new AggregateError([new Error('refused'), new Error('other')])), 'refused');
    assert.equal(messageOf('a\n b'), 'a b');
  });
});

suite("ClickHouse's errors", () => {
  test('that pass by themselves are transient', () => {
    // Sockets and timeouts, memory, queries at a time, parts, read-only replicas, Keeper, cancelled, threads.
    for (const code of [159, 209, 210, 241, 202, 252, 242, 999, 225, 394, 439])
      assert.equal(classify(code, ''), 'transient', String(code));
  });

  test('that nobody has listed are transient, so that nothing is lost', () => {
    for (const code of [1, 49, 60, 81, 123456, 'none']) assert.equal(classify(code, ''), 'transient', String(code));
  });

  test('about columns are drift', () => {
    assert.equal(classify('10', "Tuple doesn't have element with name 'extra'"), 'drift');
    assert.equal(classify(16, ''), 'drift');
    for (const message of [
      'Unexpected number of elements in named tuple. Expected no more than 3',
      "JSON object doesn't contain tuple element b.",
      'Unknown field found while parsing JSONEachRow format: x',
    ]) {
      assert.equal(classify(117, message), 'drift', message);
    }
  });

  test('about values are bad data', () => {
    assert.equal(classify(117, "JSON object contains duplicate key 'a'"), 'bad-data');
    for (const code of [6, 26, 27, 38, 41, 53, 69, 70, 72, 73, 131, 321, 349, 376, 395, 407, 467]) {
      assert.equal(classify(String(code), ''), 'bad-data', String(code));
    }
  });

  test('about rights are access', () => {
    for (const code of [164, 192, 193, 291, 497, 516]) assert.equal(classify(code, ''), 'access', String(code));
  });
});
