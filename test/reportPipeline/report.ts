import type { Report } from '../../pipelines/report.ts';

/** A column of every kind. */
export const report: Report = {
  title: 'Wear reports',
  description: 'What a prosthesis did on a day.',
  mart: 'wear_reports',
  user: { claim: 'user_id', column: 'user_id' },
  item: { column: 'prosthesis_id', title: 'Prosthesis' },
  columns: {
    day: { kind: 'day', title: 'Day' },
    prosthesis_id: { kind: 'whole', title: 'Prosthesis' },
    prosthesis_model: { kind: 'text', title: 'Model' },
    manufacture_date: { kind: 'day', title: 'Made on', optional: true },
    events: { kind: 'whole', title: 'Events' },
    first_event_at: { kind: 'time', title: 'First event' },
    movement_counts: { kind: 'counts', title: 'Movements by kind' },
    response_ms_avg: { kind: 'number', title: 'Response, mean, ms' },
    grip_force_max: { kind: 'number', title: 'Grip force, greatest, N', optional: true },
  },
  charts: [{ kind: 'bars', title: 'Events', unit: '', column: 'events' }],
};
