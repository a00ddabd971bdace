import { definePipeline } from '../../core/definition.ts';

/** Who changed what: every update of a table, with the row before and after. */
export default definePipeline({
  name: 'audit',
  source: { url: 'AUDIT_DATABASE_URL', captureUrl: 'AUDIT_CAPTURE_URL' },
  database: 'audit',
  stream: {
    connector: 'pg-connector',
    topicPrefix: 'pgserver',
    slot: 'debezium_slot',
    publication: 'debezium_pub',
    partitions: 3,
  },
  tables: {
    // Add 'c' and 'd' to keep inserts and deletes as well; start may be 'earliest', 'latest' or a time back, as '20s'.
    my_table: { target: 'changes', history: { operations: ['u'], start: 'earliest' } },
  },
});
