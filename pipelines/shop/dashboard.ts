import type { Dashboard } from '../dashboard.ts';
import { type AggregateName, rolledSql } from './aggregates.ts';

const inMonths = (time: string) =>
  `(empty({months:Array(String)}) OR has({months:Array(String)}, formatDateTime(${time}, '%Y-%m')))`;

/** What is ready made is made for all categories and sellers. */
const filter = {
  day: inMonths('day'),
  row: `${inMonths('ordered_at')}
  AND (empty({categories:Array(String)}) OR has({categories:Array(String)}, category))
  AND (empty({sellers:Array(Int32)}) OR has({sellers:Array(Int32)}, seller_id))`,
  needed: 'notEmpty({categories:Array(String)}) OR notEmpty({sellers:Array(Int32)})',
};

const all = (name: AggregateName) =>
  rolledSql(name, {
    from: "toDateTime64('1970-01-01 00:00:00', 6, 'UTC')",
    ...{ to: "toDateTime64('2100-01-01 00:00:00', 6, 'UTC')", filter },
  });

export const dashboard: Dashboard = {
  title: 'Sales',
  filters: [
    {
      name: 'months',
      title: 'Month',
      type: 'Array(String)',
      sql: "SELECT DISTINCT formatDateTime(ordered_at, '%Y-%m') AS value, value AS label FROM orders ORDER BY value",
    },
    {
      name: 'categories',
      title: 'Category',
      type: 'Array(String)',
      sql: 'SELECT DISTINCT category AS value, value AS label FROM products ORDER BY value',
    },
    {
      name: 'sellers',
      title: 'Seller',
      type: 'Array(Int32)',
      sql: 'SELECT seller_id AS value, seller_name AS label FROM sellers ORDER BY label, value',
    },
  ],
  queries: [
    {
      name: 'totals',
      title: 'Totals',
      show: {
        kind: 'figures',
        titles: { revenue: 'Revenue', orders: 'Orders', pieces: 'Pieces', average_order: 'Average order value' },
      },
      sql: all('total'),
    },
    {
      name: 'byDay',
      title: 'Sales by day, UTC',
      show: { kind: 'bars', label: 'day', value: 'revenue' },
      sql: all('byDay'),
    },
    {
      name: 'byHour',
      title: 'Sales by hour, UTC',
      show: { kind: 'bars', label: 'hour', value: 'revenue' },
      sql: all('byHour'),
    },
    {
      name: 'byCategory',
      title: 'Sales by category',
      show: { kind: 'bars', label: 'category', value: 'revenue' },
      sql: all('byCategory'),
    },
    {
      name: 'bySeller',
      title: 'Sales by seller',
      show: { kind: 'bars', label: 'seller', value: 'revenue' },
      sql: all('bySeller'),
    },
    { name: 'topProducts', title: 'Top products', show: { kind: 'table' }, sql: all('topProducts') },
    {
      name: 'statuses',
      title: 'Order statuses',
      show: { kind: 'bars', label: 'status', value: 'orders' },
      sql: all('statuses'),
    },
  ],
};
