import { definePipeline } from '../../core/definition.ts';

/** People and their prostheses, live, and what their prostheses report. */
export default definePipeline({
  name: 'crm',
  source: { url: 'CRM_DATABASE_URL', captureUrl: 'CRM_CAPTURE_URL' },
  database: 'reports_db',
  stream: {
    connector: 'crm-postgres-connector',
    topicPrefix: 'crm_db',
    publication: 'debezium_publication',
  },
  tables: {
    users: { target: 'users_target', currentView: 'users_current' },
    prostheses: { target: 'prostheses_target', currentView: 'prostheses_current' },
  },
  events: {
    'prosthesis.telemetry': {
      target: 'prosthesis_telemetry',
      partitions: 3,
      columns: {
        event_id: { type: 'UUID' },
        prosthesis_id: { type: 'Int32' },
        recorded_at: { type: 'DateTime64(3)' },
        /** Percent. */
        battery: { type: 'UInt8' },
        response_time_ms: { type: 'UInt32' },
        /** Newton; 0 for what is no grip. */
        grip_force: { type: 'Decimal(6, 1)' },
        movement: { type: 'LowCardinality(String)' },
        error_code: { type: 'LowCardinality(String)', optional: true },
      },
      key: ['event_id'],
      partitionBy: { month: 'recorded_at' },
    },
  },
  views: [{ name: 'crm_data_mart', file: 'marts/crm_data_mart.sql' }],
  marts: {
    prosthesis_reports_mart: {
      file: 'marts/prosthesis_reports_mart.sql',
      key: ['user_id', 'prosthesis_id', 'day'],
      period: 'day',
      inputs: ['users_target', 'prostheses_target', 'prosthesis_telemetry'],
      late: { input: 'prosthesis_telemetry', time: 'recorded_at' },
    },
  },
});
