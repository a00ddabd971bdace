import { DefaultLogger, type LogEntry, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import { messageOf, TidegateError } from '../core/errors.ts';

export type Log = (line: string) => void;

const LEVELS = ['DEBUG', 'INFO', 'WARN', 'ERROR'] as const;

function isLevel(text: string): text is (typeof LEVELS)[number] {
  return (LEVELS as readonly string[]).includes(text);
}

let installed = false;

/**
 * Sends what Temporal's libraries log to `log`, one readable line each. A process has one runtime, so the first call
 * counts. Signals are left to whoever owns the process.
 * @param written the least level to log, in any case; INFO by default.
 * @throws TidegateError INVALID_SETTING.
 */
export function installRuntime(log: Log, written = 'INFO'): void {
  const level = written.toUpperCase();
  if (!isLevel(level)) {
    throw new TidegateError('INVALID_SETTING', `TIDEGATE_LOG_LEVEL is '${written}'`, {
      remedy: `It takes one of: ${LEVELS.join(', ').toLowerCase()}.`,
    });
  }
  if (installed) return;
  installed = true;
  Runtime.install({
    logger: new DefaultLogger(level, (entry) => {
      if (level === 'DEBUG' || isWorthSaying(entry)) log(formatEntry(entry));
    }),
    shutdownSignals: [],
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} },
    },
  });
}

/** Workflows and activities speak to people; the libraries around them only when something is wrong. */
function isWorthSaying({ level, meta }: LogEntry): boolean {
  const component = String(meta?.['sdkComponent'] ?? 'worker');
  return level !== 'INFO' || component === 'activity' || component === 'workflow';
}

/** `12:03:11 WARN  runStream on stream-wms: Activity failed: SERVICE_UNREACHABLE: ...` */
export function formatEntry({ level, message, meta, timestampNanos }: LogEntry): string {
  const time = new Date(Number(timestampNanos / 1_000_000n)).toISOString().slice(11, 19);
  const where = [meta?.['activityType'], meta?.['workflowId']].filter(Boolean).join(' on ');
  const why = reasonOf(meta);
  return `${time} ${level.padEnd(5)} ${where && `${where}: `}${messageOf(message)}${why && `: ${why}`}`;
}

/** The error that came with an entry. The native library prints its own structures, in which the first message counts. */
function reasonOf(meta: LogEntry['meta']): string {
  if (meta?.['error'] !== undefined) return messageOf(meta['error']);
  if (meta?.['failure'] === undefined) return '';
  const said = /message: "((?:[^"\\]|\\.)*)"/.exec(String(meta['failure']))?.[1] ?? '';
  return messageOf(`${said} (run ${meta['runId']})`);
}
