/**
 * A report as data: which rows of a mart people may read about themselves, and how they are shown. A `pipelines/<name>/report.ts`
 * exports one of these as `report`; the service under server/ does the rest, and knows nothing about any of them.
 */
export interface Report {
  title: string;
  /** One sentence for the API's documentation. */
  description: string;
  /** Name of the pipeline's mart. Its period's column gives the day of a row; a row is known by user, day and item. */
  mart: string;
  /** Whose rows these are: the token's claim, a positive whole number, is compared with the mart's column. */
  user: { claim: string; column: string };
  /** Column of whole numbers that tells a user's rows of one day apart, and what one of them is called. */
  item: { column: string; title: string };
  /** What the report has of the mart, in this order. Day and item are among them. */
  columns: Readonly<Record<string, ReportColumn>>;
  charts: readonly ReportChart[];
}

export interface ReportColumn {
  kind: ReportKind;
  title: string;
  /** True when there may be none. */
  optional?: true;
}

export type ReportKind =
  | 'day'
  /** A time in UTC. */
  | 'time'
  | 'text'
  | 'whole'
  | 'number'
  /** How often each name occurred. */
  | 'counts';

/** How the report's page shows columns, one point a day. */
export type ReportChart =
  | { kind: 'bars'; title: string; unit: string; column: string }
  | { kind: 'lines'; title: string; unit: string; columns: readonly string[] }
  /** From one column to the other. */
  | { kind: 'range'; title: string; unit: string; low: string; high: string }
  /** Names with their totals over the period. */
  | { kind: 'totals'; title: string; column: string };
