import { messageOf, TidegateError } from '../core/errors.ts';
import type { Lsn } from '../core/lsn.ts';
import type { Environment } from './environment.ts';

const REQUEST_TIMEOUT_MS = 15_000;

/**
 * Up to where Kafka Connect has stored a Debezium connector's progress. PostgreSQL's slot never stands beyond it.
 * @returns null when the connector has stored nothing, undefined when there is no such connector.
 * @throws TidegateError SERVICE_UNREACHABLE when Kafka Connect does not answer.
 */
export async function storedConnectorLsn(environment: Environment, connector: string): Promise<Lsn | null | undefined> {
  const url = environment.url('CONNECT_URL');
  const { username, password, host } = url;
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  url.username = '';
  url.password = '';
  const unreachable = (reason: string, cause?: unknown) =>
    new TidegateError('SERVICE_UNREACHABLE', `Kafka Connect does not tell the offsets of '${connector}': ${reason}`, {
      remedy: `Check that Kafka Connect runs at ${host} and that CONNECT_URL is right.`,
      cause,
    });
  const response = await fetch(new URL(`/connectors/${encodeURIComponent(connector)}/offsets`, url), {
    headers: username ? { Authorization: `Basic ${Buffer.from(pair).toString('base64')}` } : {},
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  }).catch((error: Error) => {
    throw unreachable(messageOf(error.cause ?? error), error);
  });
  if (response.status === 404) return undefined;
  if (!response.ok) throw unreachable(`it answered ${response.status}`);
  // LSNs are written as JSON numbers, and stay below 2^53 for the first 8 PiB of WAL; the text is read to be exact beyond.
  const stored = [...(await response.text()).matchAll(/"lsn(?:_proc)?"\s*:\s*(\d+)/g)].map(([, lsn]) => BigInt(lsn!));
  return stored.reduce<Lsn | null>((furthest, lsn) => (furthest === null || lsn > furthest ? lsn : furthest), null);
}
