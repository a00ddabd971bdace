import { definePipeline } from '../../core/definition.ts';

/** A pipeline outside of the shipped ones that has a report; for the report service's tests, which make its tables by hand. */
export default definePipeline({
  name: 'wear',
  source: 'WEAR_DATABASE_URL',
  tables: { users: {} },
  events: {
    telemetry: {
      columns: { event_id: { type: 'UUID' }, recorded_at: { type: 'DateTime64(3)' } },
      key: ['event_id'],
    },
  },
  marts: {
    wear_reports: {
      file: 'wear_reports.sql',
      key: ['user_id', 'prosthesis_id', 'day'],
      period: 'day',
      inputs: ['telemetry'],
      late: { input: 'telemetry', time: 'recorded_at' },
    },
  },
});
