import type { ClickHouse } from '../adapters/clickhouse.ts';
import type { Definitions } from '../adapters/definitions.ts';
import type { Environment } from '../adapters/environment.ts';

/** What every activity is given by its worker. Connections to sources and brokers are opened by each activity for itself. */
export interface ActivityDeps {
  environment: Environment;
  definitions: Definitions;
  clickhouse: ClickHouse;
}
