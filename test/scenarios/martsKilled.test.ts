import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { MergeStep } from '../../activities/mergeDays.ts';
import { dayAfter, dayOf, daysBetween } from '../../core/days.ts';
import { event, MartLab } from './martLab.ts';

/** Forty days, so that they lie in two months at least. */
const LAST = dayAfter(dayOf(Date.now()), -2);
const DAYS = daysBetween({ from: dayAfter(LAST, -39), to: LAST });
const ALL = { from: DAYS[0]!, to: LAST };
const one = (day: string) => ({ from: day, to: day });

/** Each pipeline waits on its own for its killed worker to be noticed. */
const PIPELINES: readonly (readonly MergeStep[])[] = [
  ['recorded', 'created', 'kept'],
  ['selected', 'swapped', 'noted'],
];

suite('a mart whose merge is killed', { concurrency: true }, () => {
  for (const steps of PIPELINES) {
    test(`is whole again after: ${steps.join(', ')}`, async (context) => {
      await using lab = await MartLab.open({ label: 'martkill', workers: 'child' });
      await lab.send(DAYS.map((day, index) => event(index, `${day}T11:00:00Z`)));
      await lab.merge(ALL);
      for (const step of steps) {
        await context.test(`kill -9 of the worker that has ${step} it`, () => killedAt(lab, step));
      }
    });
  }
});

async function killedAt(lab: MartLab, step: MergeStep): Promise<void> {
  const { scenario } = lab;
  const range = { from: DAYS[10]!, to: DAYS[30]! };
  await lab.send([event(2, `${DAYS[12]}T12:00:00Z`), event(3, `${DAYS[29]}T12:00:00Z`)]);
  await scenario.stopWorkers();
  scenario.startWorkers(`merge ${step}`);
  const end = await lab.startMerge(range);
  await scenario.workersEnded();
  for (const day of [DAYS[12]!, DAYS[29]!]) if (await lab.processed(one(day))) await lab.assertEqual(one(day), day);
  scenario.startWorkers();
  await end();
  assert.equal(await lab.processed(range), true);
  await lab.assertEqual(ALL);
  const left = await lab.rows('SELECT name FROM system.tables WHERE database = {name:String}', {
    name: scenario.pipeline.database,
  });
  assert.deepEqual(
    left.filter(({ name }) => /staging|prosthesis_reports_mart_\d/.test(String(name))),
    [],
  );
}
