import { createHmac } from 'node:crypto';
import type { Pipeline } from '../core/definition.ts';
import { SALT_SETTING } from '../core/hashedColumns.ts';
import type { Environment } from './environment.ts';

/**
 * The URL of a pipeline's capture role. Where columns are hashed it carries the salt, for connectPostgres.
 * @throws TidegateError INVALID_SETTING when the URL, or the secret that a salt comes from, is not set.
 */
export function captureUrl(environment: Environment, pipeline: Pipeline): URL {
  const url = environment.url(pipeline.source.captureUrl);
  const salt = saltOf(environment, pipeline);
  if (salt !== null) url.searchParams.set(SALT_SETTING, salt);
  return url;
}

/**
 * What is hashed with the values of a pipeline's hashed columns; null when it has none. Kafka Connect shows it to whoever
 * may read configurations, so it is not the secret itself, and each pipeline has another.
 */
export function saltOf(environment: Environment, { name, tables }: Pipeline): string | null {
  if (tables.every(({ hashed }) => hashed.length === 0)) return null;
  return createHmac('sha256', environment.required('TIDEGATE_HASH_SECRET')).update(name).digest('hex');
}
