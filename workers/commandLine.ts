import { parseArgs } from 'node:util';
import { loadDefinitions } from '../adapters/definitions.ts';
import { loadEnvironment } from '../adapters/environment.ts';
import { runProgram } from '../adapters/program.ts';
import { TidegateError } from '../core/errors.ts';
import { TASK_QUEUES } from '../core/names.ts';
import { type Queue, runWorkers } from './runWorkers.ts';

const help = `Usage: npm run worker [-- options]

Runs Tidegate's workers until Ctrl-C: streams land and commit what they hold, then the process ends.

Options:
  --queues A,B  task queues to work on: ${Object.keys(TASK_QUEUES).join(', ')} (default: all)
  --debug       print stack traces of errors
  --help        print this
`;

/** The shell and npm may both deliver one Ctrl-C; a second one that forces is later than that. */
const SAME_CTRL_C_MS = 1000;

function readQueues(text: string): Queue[] {
  return text.split(',').map((name) => {
    if (Object.hasOwn(TASK_QUEUES, name)) return name as Queue;
    throw new TidegateError('INVALID_SETTING', `there is no task queue '${name}'`, {
      remedy: `--queues takes some of: ${Object.keys(TASK_QUEUES).join(',')}.`,
    });
  });
}

function stopOnSignals(): AbortSignal {
  const stopping = new AbortController();
  let askedAt = 0;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (askedAt !== 0 && Date.now() - askedAt > SAME_CTRL_C_MS) process.exit(130);
      if (askedAt !== 0) return;
      askedAt = Date.now();
      console.log('stopping: streams land what they hold (Ctrl-C again forces)');
      stopping.abort();
    });
  }
  return stopping.signal;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      queues: { type: 'string', default: Object.keys(TASK_QUEUES).join(',') },
      debug: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return;
  }
  const queues = readQueues(values.queues);
  const environment = loadEnvironment();
  const definitions = await loadDefinitions(environment.pipelineFolders);
  await runWorkers({ environment, definitions, queues, signal: stopOnSignals() });
}

await runProgram(main, { name: 'worker' });
