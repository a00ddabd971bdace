/**
 * A dashboard as data: what it asks ClickHouse, and how the answer is shown. Queries run with the pipeline's database
 * as the default one; each takes every filter as a query parameter, where an empty array lets everything through.
 */
export interface Dashboard {
  title: string;
  filters: readonly DashboardFilter[];
  queries: readonly DashboardQuery[];
}

export interface DashboardFilter {
  /** Name of the query parameter. */
  name: string;
  title: string;
  /** ClickHouse type of the parameter, always an array. */
  type: `Array(${string})`;
  /** SELECT of what can be chosen: columns `value` and `label`, in the order in which they are shown. */
  sql: string;
}

export interface DashboardQuery {
  /** Unique in the dashboard. */
  name: string;
  title: string;
  show: DashboardShape;
  /** SELECT without FORMAT. */
  sql: string;
}

/** How rows become a picture; the named columns are those of the query. */
export type DashboardShape =
  /** One row; each column is a figure under its title. */
  | { kind: 'figures'; titles: Readonly<Record<string, string>> }
  | { kind: 'bars'; label: string; value: string }
  /** One cell a row; `value` from 0 to 1 is its colour. */
  | { kind: 'heatmap'; row: string; column: string; value: string }
  /** All columns, under their own names. */
  | { kind: 'table' };
