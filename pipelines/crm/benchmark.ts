import { COPIED, type MartBenchmark } from '../benchmark.ts';

const FIRST = 10_000_000;
const PROSTHESES = 2000;
const DAYS = 60;

/** Telemetry of two months. */
export const benchmark: MartBenchmark = {
  fill: (rows) => [
    `INSERT INTO users_target SELECT ${FIRST} + number, number || '@example.org', 'User ' || number, ${COPIED}
     FROM numbers(${PROSTHESES})`,
    `INSERT INTO prostheses_target SELECT ${FIRST} + number, ${FIRST} + number, 'Nova Hand S1', '2024-02-29', ${COPIED}
     FROM numbers(${PROSTHESES})`,
    `INSERT INTO prosthesis_telemetry SELECT generateUUIDv4(), ${FIRST} + intHash32(number) % ${PROSTHESES},
       toDateTime64('2026-01-01', 3, 'UTC') + toIntervalMillisecond(intHash64(number) % ${DAYS * 86_400_000}),
       number % 100, 40 + number % 900, number % 900 / 10, arrayElement(['grip', 'open', 'rotate'], 1 + number % 3),
       if(number % 50 = 0, 'E01_ELECTRODE_CONTACT', NULL), map(), 0, number, bitNot(bitShiftLeft(toUInt128(number), 32))
     FROM numbers(${rows})`,
  ],
  mart: { name: 'prosthesis_reports_mart', days: { from: '2026-01-01', to: '2026-03-01' } },
  questions: [],
};
