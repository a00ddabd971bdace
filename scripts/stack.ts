#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { loadEnvironment } from '../adapters/environment.ts';
import { runProgram } from '../adapters/program.ts';
import { messageOf, TidegateError } from '../core/errors.ts';
import { describeFailure, stackFailed } from '../stack/error.ts';
import { type ServiceName, serviceNames } from '../stack/names.ts';
import { type RunningStack, type StackOptions, startStack } from '../stack/stack.ts';

const help = `Usage: npm run stack [-- options]

Starts the local services (PostgreSQL, ClickHouse, Kafka, Kafka Connect with Debezium, Temporal with its Web UI) and
keeps them running until Ctrl-C, which stops them and keeps their data.

Options:
  --ports fixed|auto  fixed ports (the default), or free ones
  --home DIR          where data, logs and passwords are kept (default: TIDEGATE_HOME or .tidegate)
  --only A,B          some services and what they need: ${serviceNames.join(', ')}
  --fresh             forget the data of earlier runs first
  --debug             print stack traces of errors
  --help              print this
`;

/** The options as written; a wrong one is said in one line, with where to look. */
function parse() {
  try {
    return parseArgs({
      options: {
        ports: { type: 'string', default: 'fixed' },
        home: { type: 'string', default: loadEnvironment().home },
        only: { type: 'string' },
        fresh: { type: 'boolean', default: false },
        debug: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw invalid(messageOf(error));
  }
}

function readOptions() {
  const values = parse();
  const { ports } = values;
  if (ports !== 'fixed' && ports !== 'auto') throw invalid(`--ports takes fixed or auto, not ${ports}`);
  const services = values.only?.split(',').map((name) => {
    if (!(serviceNames as readonly string[]).includes(name)) {
      throw invalid(`there is no service ${name}; --only takes some of ${serviceNames.join(',')}`);
    }
    return name as ServiceName;
  });
  return { ...values, ports: ports as StackOptions['ports'], services: services ?? serviceNames };
}

function invalid(what: string): TidegateError {
  return new TidegateError('INVALID_SETTING', what, { remedy: 'npm run stack -- --help lists the options.' });
}

function table(env: RunningStack['env']): string {
  const rows: [string, string | undefined][] = [
    ['PostgreSQL', env['POSTGRES_URL'] === undefined ? undefined : new URL(env['POSTGRES_URL']).host],
    ['ClickHouse', env['CLICKHOUSE_URL']],
    ['Kafka', env['KAFKA_BROKERS']],
    ['Kafka Connect', env['CONNECT_URL']],
    ['Temporal', env['TEMPORAL_ADDRESS']],
    ['Temporal Web UI', env['TEMPORAL_UI_URL']],
  ];
  const shown = rows.filter(([, address]) => address !== undefined);
  return shown.map(([name, address]) => `  ${name.padEnd(16)}${address}`).join('\n');
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options.help) {
    process.stdout.write(help);
    return;
  }
  const started = performance.now();
  const interrupted = new AbortController();
  const interruption = new Promise<void>((resolve) => {
    // A terminal's Ctrl-C may arrive twice, once from npm; the first one counts.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        interrupted.abort(stackFailed('interrupted while starting', 'What had been started is stopped.'));
        resolve();
      });
    }
  });
  const onProgress = (line: string): void => console.log(line);
  const { home, ports, services, fresh } = options;
  const stack = await startStack({ home, ports, services, fresh, onProgress, signal: interrupted.signal });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`\n${table(stack.env)}\n\nUp in ${seconds} s. npx tidegate env prints the credentials. Ctrl-C stops.`);
  await interruption;
  console.log('\nstopping');
  await stack.stop();
}

// A reader of the output that goes away, such as `head`, does not take the services down unordered.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

await runProgram(main, { describe: describeFailure });
