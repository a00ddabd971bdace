import type { Dashboard } from '../dashboard.ts';

const LIST_ROWS = 100;

/** FINAL: a change that arrived twice is one. */
const FILTERED = 'changes FINAL WHERE empty({operations:Array(String)}) OR has({operations:Array(String)}, op)';

export const dashboard: Dashboard = {
  title: 'Changes of my_table',
  filters: [
    {
      name: 'operations',
      title: 'Operation',
      type: 'Array(String)',
      sql: `SELECT DISTINCT op AS value, transform(op, ['c', 'u', 'd'], ['insert', 'update', 'delete'], op) AS label
FROM changes ORDER BY label`,
    },
  ],
  queries: [
    {
      name: 'totals',
      title: 'Totals',
      show: { kind: 'figures', titles: { kept: 'Changes', rows: 'Rows changed', transactions: 'Transactions' } },
      sql: `SELECT count() AS kept, uniqExact(id) AS rows, uniqExact(transaction_id) AS transactions FROM ${FILTERED}`,
    },
    {
      name: 'byHour',
      title: 'Changes by hour, UTC',
      show: { kind: 'bars', label: 'hour', value: 'kept' },
      sql: `SELECT toStartOfHour(ts) AS hour, count() AS kept FROM ${FILTERED} GROUP BY hour ORDER BY hour`,
    },
    {
      name: 'mostChanged',
      title: 'Most often changed',
      show: { kind: 'table' },
      sql: `SELECT id, argMax(name, (ts, lsn)) AS name, count() AS kept, max(ts) AS last
FROM (SELECT id, name, ts, lsn FROM ${FILTERED}) GROUP BY id ORDER BY kept DESC, id LIMIT ${LIST_ROWS}`,
    },
    {
      name: 'newest',
      title: 'Newest changes',
      show: { kind: 'table' },
      sql: `SELECT ts, op, id, before_name, name, transaction_id, lsn, arrived_at
FROM ${FILTERED} ORDER BY ts DESC, lsn DESC LIMIT ${LIST_ROWS}`,
    },
  ],
};
