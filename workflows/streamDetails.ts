import type { SupervisorStatus } from '../core/activityTypes.ts';

/** What the Web UI shows of a stream, as Markdown for a person who has just opened it. */
export function streamDetails(status: SupervisorStatus): string {
  const { pipeline, phase, since, reason, retryAt, attempts, lastError, snapshot, schema, definitionHash } = status;
  const lines = [`### ${pipeline}: ${phase}`, '', reason, '', `- Since ${readable(since)}`];
  if (retryAt !== null) lines.push(`- Next attempt at ${readable(retryAt)} (after ${attempts} without success)`);
  if (phase === 'failed') lines.push(`- Send the signal \`resume\` to try again once the cause is gone`);
  if (phase === 'paused') lines.push('- Send the signal `resume` to go on');
  if (lastError) lines.push(`- Last error at ${readable(lastError.at)}: \`${lastError.code}\` ${lastError.message}`);
  if (definitionHash) lines.push(`- Definition ${definitionHash.slice(0, 12)}`);
  for (const { table, reason: why } of schema.aside) lines.push(`- **${table} is left aside**: ${why}`);
  if (schema.changes.length > 0) {
    lines.push('', 'Last changes of the source’s schema:', '');
    for (const { table, change, at } of schema.changes) lines.push(`- ${readable(at)} ${table}: ${change}`);
  }
  if (snapshot) {
    const copied = snapshot.tables.map(({ table, rows }) => `${table} ${rows} rows`).join(', ');
    lines.push(`- Snapshot at ${snapshot.lsn}, ${snapshot.seconds.toFixed(1)} s: ${copied}`);
  }
  return lines.join('\n');
}

/** `2025-01-31T04:05:06.789Z` as `2025-01-31 04:05:06 UTC`. */
function readable(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 19)} UTC`;
}
