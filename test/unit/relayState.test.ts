import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RelaySupervisor } from '../../core/relayState.ts';

const T0 = Date.parse('2025-01-31T00:00:00Z');
const away = { code: 'HEARTBEAT_TIMEOUT', message: 'no heartbeat', retryable: true };
const fresh = () => new RelaySupervisor('p', { now: T0 });

test('a relay that fails is tried again after growing delays, and at once when an operator resumes it', () => {
  const relay = fresh();
  assert.deepEqual(relay.step, { do: 'relay' });
  for (const [attempt, seconds] of [1, 2, 4].entries()) {
    relay.failed(away, T0);
    assert.equal(relay.status.attempts, attempt + 1);
    assert.deepEqual(relay.step, { do: 'wait', until: T0 + seconds * 1000 });
    relay.timer(T0 + seconds * 1000 - 1);
    assert.equal(relay.status.phase, 'backing off');
    relay.timer(T0 + seconds * 1000);
    assert.equal(relay.status.phase, 'relaying');
  }
  relay.failed(away, T0);
  relay.resume(T0);
  assert.deepEqual([relay.step, relay.status.attempts], [{ do: 'relay' }, 0]);
});

test('a failure that no retry cures stops it with the reason until an operator resumes it', () => {
  const relay = fresh();
  relay.failed({ code: 'MESSAGE_TOO_LARGE', message: 'the row with id 7', retryable: false }, T0);
  assert.deepEqual([relay.status.phase, relay.status.reason], ['failed', 'the row with id 7.']);
  assert.deepEqual(relay.step, { do: 'wait', until: null });
  relay.resume(T0);
  assert.deepEqual(relay.step, { do: 'relay' });
});

test('a pause takes effect when the batch under way has ended, whichever way, and outlives a new run', () => {
  for (const end of ['ended', 'failed'] as const) {
    const relay = fresh();
    relay.pause(T0);
    assert.deepEqual([relay.status.phase, relay.step.do], ['relaying', 'wait']);
    if (end === 'ended') relay.ended(T0);
    else relay.failed(away, T0);
    assert.equal(relay.status.phase, 'paused');
    const carried = new RelaySupervisor('p', { now: T0 + 1, carried: relay.state });
    assert.equal(carried.status.phase, 'paused');
    carried.resume(T0 + 2);
    assert.deepEqual(carried.step, { do: 'relay' });
  }
});

test('a pause that is taken back before it took effect changes nothing', () => {
  const relay = fresh();
  const { status } = relay;
  relay.pause(T0);
  relay.resume(T0);
  assert.deepEqual(relay.status, status);
});

test('a worker that stops is no error', () => {
  const relay = fresh();
  relay.failed({ code: 'WORKER_SHUTDOWN', message: 'stopped by its worker', retryable: true }, T0);
  assert.deepEqual([relay.status.phase, relay.status.lastError], ['backing off', null]);
});
