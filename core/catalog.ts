/** What PostgreSQL's catalog says about one column of a source table. */
export interface SourceColumn {
  name: string;
  /** pg_attribute.attnum: stays the same when the column is renamed. */
  attnum: number;
  /** format_type(atttypid, atttypmod) of the column, with domains resolved to their base type: `numeric(12,2)`, `text[]`. */
  type: string;
  /** pg_type.typname of the (base) type: `int8`, `numeric`, `_text`. */
  typeName: string;
  /** pg_type.typtype of the (base) type: b base, c composite, e enum, r range, m multirange, p pseudo. */
  typeKind: string;
  /** pg_type.typcategory of the (base) type: `A` for arrays. */
  typeCategory: string;
  /** pg_attribute.attndims: dimensions that an array is declared with. PostgreSQL does not hold values to it. */
  dimensions: number;
  /** True when neither the column nor its domain allows NULL. */
  notNull: boolean;
  /** True for GENERATED ALWAYS AS (...) columns, which Debezium does not send. */
  generated: boolean;
  /** The default expression as SQL text, null when there is none. */
  default: string | null;
  /**
   * What CHECK constraints of the column alone, or of its domain, demand: conditions as PostgreSQL prints them, `<column>`
   * for the column. Absent when there are none.
   */
  checks?: readonly string[];
  /** True when the definition lets its values leave the source only hashed. Absent otherwise. */
  hashed?: true;
}

/** What PostgreSQL's catalog says about one source table. Columns are in attnum order. */
export interface SourceTable {
  schema: string;
  name: string;
  oid: number;
  /** pg_class.relkind: r table, p partitioned table. */
  kind: string;
  columns: readonly SourceColumn[];
  /** Names of columns that the definition keeps back; `columns` lacks them. Absent when there are none. */
  excluded?: readonly string[];
  /** Names of the columns whose values are hashed, so that the table is read again alike. Absent when there are none. */
  hashed?: readonly string[];
  /** Names of the primary key's columns in key order; empty when there is no primary key. */
  primaryKey: readonly string[];
  /** Name of the primary key's constraint when it is DEFERRABLE, else null. */
  deferrableKey: string | null;
  /** True for an UNLOGGED table, of whose changes no WAL tells. */
  unlogged?: boolean;
  /** True when the table has row-level security: it shows some roles some of its rows only. */
  rowSecurity?: boolean;
  /** pg_class.relreplident: d default, f full, n nothing, i index. */
  replicaIdentity: string;
  /** Names of the columns of the index in REPLICA IDENTITY USING INDEX; empty when the identity is another. */
  identityIndex: readonly string[];
  /** The planner's estimate of rows, for progress; -1 when never analysed. */
  estimatedRows: number;
  /** Size of the heap in 8 KiB pages, for splitting by ctid. */
  pages: number;
}
