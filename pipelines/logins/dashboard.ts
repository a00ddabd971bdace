import type { Dashboard } from '../dashboard.ts';

const FROM = `FROM user_logins
WHERE (empty({months:Array(String)}) OR has({months:Array(String)}, formatDateTime(event_time, '%Y-%m')))
  AND (empty({events:Array(String)}) OR has({events:Array(String)}, event_type))`;

export const dashboard: Dashboard = {
  title: 'Logins',
  filters: [
    {
      name: 'months',
      title: 'Month',
      type: 'Array(String)',
      sql: "SELECT DISTINCT formatDateTime(event_time, '%Y-%m') AS value, value AS label FROM user_logins ORDER BY value",
    },
    {
      name: 'events',
      title: 'Event',
      type: 'Array(String)',
      sql: 'SELECT DISTINCT toString(event_type) AS value, value AS label FROM user_logins ORDER BY value',
    },
  ],
  queries: [
    {
      name: 'totals',
      title: 'Totals',
      show: {
        kind: 'figures',
        titles: { events: 'Events', users: 'Users', logins: 'Logins', failed: 'Failed logins' },
      },
      sql: `SELECT count() AS events, uniqExact(username) AS users, countIf(event_type = 'login') AS logins,
  countIf(event_type = 'login_failed') AS failed
${FROM}`,
    },
    {
      name: 'byDay',
      title: 'Events by day, UTC',
      show: { kind: 'bars', label: 'day', value: 'events' },
      sql: `SELECT toDate(event_time) AS day, count() AS events ${FROM} GROUP BY day ORDER BY day`,
    },
    {
      name: 'byHour',
      title: 'Events by hour of the day, UTC',
      show: { kind: 'bars', label: 'hour', value: 'events' },
      sql: `SELECT toHour(event_time) AS hour, count() AS events ${FROM} GROUP BY hour ORDER BY hour`,
    },
    {
      name: 'byEvent',
      title: 'Events by kind',
      show: { kind: 'bars', label: 'event', value: 'events' },
      sql: `SELECT toString(event_type) AS event, count() AS events ${FROM} GROUP BY event ORDER BY events DESC, event`,
    },
    {
      name: 'topUsers',
      title: 'Most active users',
      show: { kind: 'bars', label: 'username', value: 'events' },
      sql: `SELECT username, count() AS events ${FROM} GROUP BY username ORDER BY events DESC, username LIMIT 20`,
    },
    {
      name: 'failures',
      title: 'Users with failed logins',
      show: { kind: 'table' },
      sql: `SELECT username, countIf(event_type = 'login_failed') AS failed, countIf(event_type = 'login') AS logins,
  maxIf(event_time, event_type = 'login_failed') AS last_failed
${FROM} GROUP BY username HAVING failed > 0 ORDER BY failed DESC, username LIMIT 50`,
    },
    {
      name: 'latest',
      title: 'Latest events',
      show: { kind: 'table' },
      sql: `SELECT event_time, username, event_type, id ${FROM} ORDER BY id DESC LIMIT 50`,
    },
  ],
};
