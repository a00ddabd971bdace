/** The services of the local stack, in the order in which they are shown. */
export const serviceNames = ['postgres', 'clickhouse', 'kafka', 'connect', 'temporal'] as const;

export type ServiceName = (typeof serviceNames)[number];

/** Names for people. */
export const titles: Readonly<Record<ServiceName, string>> = {
  postgres: 'PostgreSQL',
  clickhouse: 'ClickHouse',
  kafka: 'Kafka',
  connect: 'Kafka Connect',
  temporal: 'Temporal',
};

/** The name for people of a service, whether of the stack or supervised beside it. */
export function titleOf(name: string): string {
  return name in titles ? titles[name as ServiceName] : name;
}

/** What has to answer before a service can start. */
export const needs: Readonly<Record<ServiceName, readonly ServiceName[]>> = {
  postgres: [],
  clickhouse: [],
  kafka: [],
  connect: ['kafka'],
  temporal: [],
};

/**
 * Waves in which services are stopped: whoever writes goes before whoever is written to. Connect first, so that
 * Debezium can still commit its offsets to Kafka and confirm its position to PostgreSQL.
 */
export const stopOrder: readonly (readonly ServiceName[])[] = [
  ['connect', 'temporal'],
  ['kafka'],
  ['clickhouse'],
  ['postgres'],
];

/** The services asked for and those that they need. */
export function withNeeds(wanted: readonly ServiceName[]): ServiceName[] {
  const all = new Set<ServiceName>();
  const add = (name: ServiceName): void => {
    for (const other of needs[name]) add(other);
    all.add(name);
  };
  for (const name of wanted) add(name);
  return serviceNames.filter((name) => all.has(name));
}
