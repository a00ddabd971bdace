import { definePipeline } from '../../core/definition.ts';

/** Who logged in when: sent from an outbox, so that each event arrives exactly once and each user's in order. */
export default definePipeline({
  name: 'logins',
  source: 'LOGINS_DATABASE_URL',
  database: 'logins',
  stream: { consumerGroup: 'user_logins_consumer' },
  events: {
    user_logins: {
      ...{ topic: 'user_events', partitions: 3, target: 'user_logins_events', currentView: 'user_logins' },
      key: ['id'],
      partitionBy: { month: 'event_time' },
      columns: {
        id: { type: 'Int64' },
        username: { type: 'String', from: 'user' },
        event_type: { type: 'LowCardinality(String)', from: 'event' },
        event_time: { type: 'DateTime', from: 'timestamp', epoch: 'seconds' },
      },
    },
  },
  outboxes: {
    user_logins: {
      ...{ event: 'user_logins', id: 'id', sent: 'sent_to_kafka', partitionBy: 'username' },
      fields: {
        ...{ id: 'id', user: 'username', event: 'event_type' },
        timestamp: { column: 'event_time', epoch: 'seconds' },
      },
      url: 'LOGINS_RELAY_URL',
    },
  },
});
