import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { backoffMs } from '../../core/backoff.ts';
import type { Failure } from '../../core/failures.ts';
import { Supervisor } from '../../core/supervisor.ts';

const T0 = Date.parse('2025-01-31T00:00:00Z');
const SECOND = 1000;
const MINUTE = 60 * SECOND;

const schema = { changes: [], aside: [] };
const prepared = {
  ...{ definitionHash: 'h', snapshotNeeded: false, reason: 'a snapshot of slot s is recorded', tables: ['stock'] },
  resync: [],
  ...{ drifted: [], schema },
};
const withoutSlot = { ...prepared, snapshotNeeded: true, reason: 'there is no slot' };
const snapshot = { lsn: '0/1', slot: 's', tables: [], seconds: 1 };
const unreachable: Failure = { code: 'SERVICE_UNREACHABLE', message: 'no broker', retryable: true };
const denied: Failure = { code: 'ACCESS_DENIED', message: 'wrong password', retryable: false };
const slotLost: Failure = { code: 'SLOT_LOST', message: 'the slot is gone', retryable: false };

function fresh(): Supervisor {
  return new Supervisor('p', { now: T0 });
}

function streaming(): Supervisor {
  const supervisor = fresh();
  supervisor.prepared(prepared, T0);
  return supervisor;
}

describe('the way to a running stream', () => {
  test('begins with preparing, without a watch', () => {
    const supervisor = fresh();
    assert.deepEqual(supervisor.step, { do: 'prepare', skipLost: false });
    assert.deepEqual(supervisor.watchStep, { do: 'nothing' });
  });

  test('takes a snapshot only when one is needed, and does not watch the connector meanwhile', () => {
    const supervisor = fresh();
    supervisor.prepared(withoutSlot, T0);
    assert.deepEqual(supervisor.step, { do: 'snapshot' });
    assert.deepEqual(supervisor.watchStep, { do: 'nothing' });
    assert.equal(supervisor.status.reason, 'A snapshot is taken: there is no slot.');
    supervisor.snapshotFinished(snapshot, T0 + SECOND);
    assert.deepEqual(supervisor.step, { do: 'stream' });
    assert.deepEqual(supervisor.watchStep, { do: 'watch' });
    assert.deepEqual(supervisor.status.snapshot, snapshot);
  });

  test('leads straight to the stream when a snapshot is recorded', () => {
    assert.deepEqual(streaming().step, { do: 'stream' });
  });

  test('ignores what comes too late for the phase it is in', () => {
    const supervisor = streaming();
    supervisor.prepared(withoutSlot, T0);
    supervisor.snapshotFinished(snapshot, T0);
    assert.equal(supervisor.phase, 'streaming');
    assert.equal(supervisor.status.snapshot, null);
  });
});

describe('back-off', () => {
  test('grows from one second to one minute', () => {
    assert.deepEqual([1, 2, 3, 6, 7, 50].map(backoffMs), [1000, 2000, 4000, 32_000, 60_000, 60_000]);
  });

  test('grows with each failure in a row and names the failure', () => {
    const supervisor = streaming();
    supervisor.failed(unreachable, T0);
    assert.deepEqual(supervisor.step, { do: 'wait', until: T0 + SECOND });
    assert.equal(supervisor.status.reason, 'no broker. The next attempt is made in 1 s.');
    supervisor.timer(T0 + SECOND);
    assert.equal(supervisor.phase, 'preparing');
    supervisor.failed(unreachable, T0 + SECOND);
    assert.deepEqual(supervisor.step, { do: 'wait', until: T0 + 3 * SECOND });
    assert.equal(supervisor.status.attempts, 2);
    assert.deepEqual(supervisor.status.lastError, {
      ...{ code: 'SERVICE_UNREACHABLE', message: 'no broker' },
      at: '2025-01-31T00:00:01.000Z',
    });
  });

  test('does not end before its time', () => {
    const supervisor = streaming();
    supervisor.failed(unreachable, T0);
    supervisor.timer(T0 + SECOND - 1);
    assert.equal(supervisor.phase, 'backing off');
  });

  test('starts anew after a minute of streaming', () => {
    const supervisor = streaming();
    for (const _ of [1, 2, 3]) {
      supervisor.failed(unreachable, T0);
      supervisor.timer(T0 + MINUTE);
    }
    supervisor.prepared(prepared, T0 + MINUTE);
    supervisor.failed(unreachable, T0 + 2 * MINUTE);
    assert.equal(supervisor.status.attempts, 1);
  });

  test('does not grow when a worker stops: that is no failure', () => {
    const shutdown: Failure = { code: 'WORKER_SHUTDOWN', message: 'stopped by its worker', retryable: true };
    const supervisor = streaming();
    supervisor.failed(shutdown, T0);
    supervisor.watchFailed(shutdown, T0);
    assert.deepEqual(supervisor.step, { do: 'wait', until: T0 + SECOND });
    assert.deepEqual(supervisor.watchStep, { do: 'wait', until: T0 + SECOND });
    assert.equal(supervisor.status.lastError, null);
    assert.equal(supervisor.status.attempts, 0);
  });

  test('ends at once when an operator resumes', () => {
    const supervisor = streaming();
    supervisor.failed(unreachable, T0);
    supervisor.resume(T0);
    assert.equal(supervisor.phase, 'preparing');
    assert.equal(supervisor.status.attempts, 0);
  });
});

describe('a failure that no retry cures', () => {
  test('stops the stream with its reason and goes on watching the connector', () => {
    const supervisor = streaming();
    supervisor.failed(denied, T0);
    assert.equal(supervisor.phase, 'failed');
    assert.equal(supervisor.status.reason, 'wrong password.');
    assert.deepEqual(supervisor.step, { do: 'wait', until: null });
    assert.deepEqual(supervisor.watchStep, { do: 'watch' });
  });

  test('is tried again when an operator resumes', () => {
    const supervisor = fresh();
    supervisor.failed(denied, T0);
    supervisor.resume(T0 + SECOND);
    assert.deepEqual(supervisor.step, { do: 'prepare', skipLost: false });
  });

  test('of the watch stops the stream and the watch until an operator resumes', () => {
    const supervisor = streaming();
    supervisor.watchFailed(denied, T0);
    assert.equal(supervisor.phase, 'failed');
    assert.deepEqual(supervisor.watchStep, { do: 'nothing' });
    supervisor.resume(T0);
    supervisor.prepared(prepared, T0);
    assert.deepEqual(supervisor.watchStep, { do: 'watch' });
  });
});

describe('a lost slot', () => {
  test('leads back to preparing at once, without a watch', () => {
    for (const lose of [
      (supervisor: Supervisor) => supervisor.failed(slotLost, T0),
      (supervisor: Supervisor) => supervisor.watchFailed(slotLost, T0),
    ]) {
      const supervisor = streaming();
      lose(supervisor);
      assert.deepEqual(supervisor.step, { do: 'prepare', skipLost: false });
      assert.deepEqual(supervisor.watchStep, { do: 'nothing' });
    }
  });

  test('that is lost again and again is not chased without a pause', () => {
    const supervisor = streaming();
    supervisor.failed(slotLost, T0);
    supervisor.prepared(prepared, T0);
    supervisor.failed(slotLost, T0);
    assert.equal(supervisor.phase, 'backing off');
  });

  test('during a pause waits for the operator', () => {
    const supervisor = streaming();
    supervisor.pause(T0);
    supervisor.streamEnded(T0);
    supervisor.watchFailed(slotLost, T0);
    assert.equal(supervisor.phase, 'paused');
    assert.match(supervisor.status.reason, /the slot is gone/);
    assert.deepEqual(supervisor.watchStep, { do: 'nothing' });
  });
});

describe('a schema that has changed', () => {
  const report = { table: 'things', columns: ['id', 'new'] };
  const drift: Failure = { code: 'SCHEMA_DRIFT', message: 'things no longer fits', retryable: false, details: report };
  const followed = { changes: [{ table: 'things', change: 'column new was added', at: 'now' }], aside: [] };

  test('is followed as soon as the stream stops at it, with what the message holds', () => {
    const supervisor = streaming();
    supervisor.streamFailed(drift, T0);
    assert.equal(supervisor.phase, 'evolving');
    assert.deepEqual(supervisor.step, { do: 'evolve' });
    assert.deepEqual(supervisor.state.reports, [report]);
    assert.deepEqual(supervisor.watchStep, { do: 'watch' });
    supervisor.evolved(followed, T0);
    assert.deepEqual(supervisor.step, { do: 'prepare', skipLost: false });
    assert.deepEqual(supervisor.status.schema, followed);
    assert.deepEqual(supervisor.state.reports, []);
  });

  test('is followed when the watch or preparing sees it', () => {
    const supervisor = streaming();
    supervisor.watchFailed(drift, T0);
    assert.deepEqual(supervisor.step, { do: 'evolve' });
    assert.deepEqual(supervisor.watchStep, { do: 'wait', until: T0 + SECOND });
    supervisor.streamFailed(drift, T0);
    assert.equal(supervisor.phase, 'evolving');
    assert.deepEqual(supervisor.state.reports, [report]);
    const another = fresh();
    another.prepared({ ...prepared, drifted: ['things'], reason: 'the schema of things has changed' }, T0);
    assert.equal(another.phase, 'evolving');
  });

  test('leaves a pause a pause', () => {
    const supervisor = streaming();
    supervisor.pause(T0);
    supervisor.streamEnded(T0);
    supervisor.watchFailed(drift, T0);
    assert.equal(supervisor.phase, 'evolving');
    supervisor.evolved(followed, T0);
    assert.equal(supervisor.phase, 'paused');
  });

  test('leads a failed stream back, since it may have failed at it', () => {
    const supervisor = streaming();
    supervisor.failed({ code: 'BAD_MESSAGE', message: 'no number', retryable: false }, T0);
    supervisor.watchFailed(drift, T0);
    supervisor.evolved(followed, T0);
    assert.deepEqual(supervisor.step, { do: 'prepare', skipLost: false });
  });

  test('is tried again when a worker dies at it, still with what the message holds', () => {
    const supervisor = streaming();
    supervisor.streamFailed(drift, T0);
    supervisor.failed({ code: 'HEARTBEAT_TIMEOUT', message: 'no heartbeat', retryable: true }, T0);
    assert.equal(supervisor.phase, 'backing off');
    supervisor.timer(T0 + SECOND);
    supervisor.prepared({ ...prepared, drifted: ['things'] }, T0 + SECOND);
    assert.deepEqual(supervisor.step, { do: 'evolve' });
    assert.deepEqual(supervisor.state.reports, [report]);
  });

  test('that does not explain the message stops the stream', () => {
    const supervisor = streaming();
    supervisor.streamFailed(drift, T0);
    supervisor.failed(drift, T0);
    assert.equal(supervisor.phase, 'failed');
  });
});

describe('a pause', () => {
  test('is reached only when the stream has landed what it held', () => {
    const supervisor = streaming();
    supervisor.pause(T0);
    assert.deepEqual(supervisor.step, { do: 'wait', until: null });
    assert.equal(supervisor.phase, 'streaming');
    supervisor.streamEnded(T0 + SECOND);
    assert.equal(supervisor.phase, 'paused');
    assert.deepEqual(supervisor.watchStep, { do: 'watch' });
  });

  test('taken back while the stream still lands lets it go on', () => {
    const supervisor = streaming();
    supervisor.pause(T0);
    supervisor.resume(T0);
    assert.deepEqual(supervisor.step, { do: 'stream' });
  });

  test('is kept although the last flush failed, and the failure is shown', () => {
    const supervisor = streaming();
    supervisor.pause(T0);
    supervisor.failed(unreachable, T0);
    assert.equal(supervisor.phase, 'paused');
    assert.equal(supervisor.status.lastError?.code, 'SERVICE_UNREACHABLE');
  });

  test('asked for during a snapshot begins after it', () => {
    const supervisor = fresh();
    supervisor.prepared(withoutSlot, T0);
    supervisor.pause(T0);
    assert.deepEqual(supervisor.step, { do: 'snapshot' });
    assert.match(supervisor.status.reason, /It pauses after that\.$/);
    supervisor.snapshotFinished(snapshot, T0);
    assert.equal(supervisor.phase, 'paused');
  });

  test('ends a back-off and a failure', () => {
    for (const failure of [unreachable, denied]) {
      const supervisor = streaming();
      supervisor.failed(failure, T0);
      supervisor.pause(T0);
      assert.equal(supervisor.phase, 'paused');
      assert.equal(supervisor.status.retryAt, null);
    }
  });

  test('ends with preparing, so that a slot lost meanwhile is noticed', () => {
    const supervisor = streaming();
    supervisor.pause(T0);
    supervisor.streamEnded(T0);
    supervisor.resume(T0);
    assert.deepEqual(supervisor.step, { do: 'prepare', skipLost: false });
  });
});

describe('the watch over the connector', () => {
  test('backs off by itself and leaves the stream alone', () => {
    const supervisor = streaming();
    supervisor.watchStarted(T0);
    supervisor.watchFailed({ ...unreachable, code: 'CONNECTOR_FAILED' }, T0);
    assert.deepEqual(supervisor.step, { do: 'stream' });
    assert.deepEqual(supervisor.watchStep, { do: 'wait', until: T0 + SECOND });
    assert.equal(supervisor.status.lastError?.code, 'CONNECTOR_FAILED');
    supervisor.timer(T0 + SECOND);
    assert.deepEqual(supervisor.watchStep, { do: 'watch' });
  });

  test('backs off longer each time until it has held for a minute', () => {
    const supervisor = streaming();
    supervisor.watchStarted(T0);
    supervisor.watchFailed(unreachable, T0);
    supervisor.watchFailed(unreachable, T0);
    assert.deepEqual(supervisor.watchStep, { do: 'wait', until: T0 + 2 * SECOND });
    supervisor.watchStarted(T0);
    supervisor.watchFailed(unreachable, T0 + MINUTE);
    assert.deepEqual(supervisor.watchStep, { do: 'wait', until: T0 + MINUTE + SECOND });
  });
});

test('lost events are gone on behind once an operator resumes, without a snapshot, and not again after that', () => {
  const lost: Failure = {
    code: 'OFFSET_LOST',
    message: 'events were lost',
    retryable: false,
    details: { kind: 'events' },
  };
  const supervisor = streaming();
  supervisor.failed(lost, T0);
  assert.equal(supervisor.phase, 'failed');
  supervisor.resume(T0);
  assert.deepEqual(supervisor.step, { do: 'prepare', skipLost: true });
  supervisor.prepared(prepared, T0);
  assert.equal(supervisor.phase, 'streaming');
  supervisor.failed(unreachable, T0);
  supervisor.resume(T0);
  assert.deepEqual(supervisor.step, { do: 'prepare', skipLost: false });
});

test('the state survives JSON and goes on where it was', () => {
  const supervisor = streaming();
  supervisor.pause(T0);
  supervisor.streamEnded(T0);
  const carried = JSON.parse(JSON.stringify(supervisor.state));
  const next = new Supervisor('p', { now: T0 + MINUTE, carried });
  assert.deepEqual(next.status, supervisor.status);
  assert.deepEqual(next.step, supervisor.step);
  assert.deepEqual(next.watchStep, supervisor.watchStep);
});
