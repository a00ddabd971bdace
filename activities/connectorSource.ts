import { saltOf } from '../adapters/captureUrl.ts';
import type { Environment } from '../adapters/environment.ts';
import { connectorConfig } from '../core/connectorConfig.ts';
import type { Pipeline } from '../core/definition.ts';
import { writeConnectorSecret } from './secrets.ts';

/**
 * The configuration that a pipeline's connector is to have. Writes the source's password where Kafka Connect reads it.
 * @throws TidegateError INVALID_SETTING when the capture URL or the folder for secrets is not set.
 */
export async function sourceConnectorConfig(
  environment: Environment,
  pipeline: Pipeline,
): Promise<Record<string, string>> {
  const url = environment.url(pipeline.source.captureUrl);
  const password = decodeURIComponent(url.password);
  const salt = saltOf(environment, pipeline);
  const sslMode = url.searchParams.get('sslmode');
  return connectorConfig(pipeline, {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || 5432),
    database: decodeURIComponent(url.pathname.slice(1)),
    user: decodeURIComponent(url.username),
    passwordReference: await writeConnectorSecret(environment, { pipeline: pipeline.name, password }),
    ...(salt !== null && { salt }),
    ...(sslMode && { sslMode }),
  });
}
