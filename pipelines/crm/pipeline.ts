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
  views: [{ name: 'crm_data_mart', file: 'marts/crm_data_mart.sql' }],
});
