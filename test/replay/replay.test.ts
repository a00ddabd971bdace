import { readdirSync } from 'node:fs';
import { before, test } from 'node:test';
import { Worker, type WorkflowBundleOption } from '@temporalio/worker';
import { Environment } from '../../adapters/environment.ts';
import { workflowBundle } from '../../workers/bundle.ts';
import { installRuntime } from '../../workers/logging.ts';
import { HISTORIES, readHistory } from './historyFile.ts';

/**
 * Workflows that run at users' sites are replayed from their history after every update of the code. A change that
 * decides otherwise than before breaks here; guard it with patched(), and record a new history beside the old ones.
 */
let bundle: WorkflowBundleOption;
before(async () => {
  installRuntime(() => undefined);
  bundle = await workflowBundle(new Environment({}));
});

for (const file of readdirSync(HISTORIES).sort()) {
  test(`the code of today replays ${file}`, async () => {
    await Worker.runReplayHistory({ workflowBundle: bundle }, readHistory(file));
  });
}
