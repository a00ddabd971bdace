import type { SourceColumn, SourceTable } from '../../core/catalog.ts';
import type { TargetShape } from '../../core/typeMapping.ts';

/** A column as the catalog would describe it. */
export function sourceColumn(
  name: string,
  type: string,
  typeName: string,
  more: Partial<SourceColumn> = {},
): SourceColumn {
  const typeCategory = typeName.startsWith('_') ? 'A' : 'X';
  return {
    name,
    attnum: 1,
    type,
    typeName,
    typeKind: 'b',
    typeCategory,
    dimensions: typeCategory === 'A' ? 1 : 0,
    notNull: false,
    generated: false,
    default: null,
    ...more,
  };
}

/** A table with a key `id integer` and the given columns. */
export function sourceTable(columns: readonly SourceColumn[], more: Partial<SourceTable> = {}): SourceTable {
  const id = sourceColumn('id', 'integer', 'int4', { notNull: true });
  return {
    ...{
      schema: 'public',
      name: 't',
      oid: 1,
      kind: 'r',
      primaryKey: ['id'],
      deferrableKey: null,
      replicaIdentity: 'd',
      identityIndex: [],
      estimatedRows: 0,
      pages: 0,
    },
    columns: [id, ...columns],
    ...more,
  };
}

export function targetShape(source: SourceTable, load: 'stream' | 'reference' = 'stream'): TargetShape {
  const { schema, name } = source;
  const currentView = load === 'stream' ? `${name}_current` : null;
  return {
    database: 'd',
    table: {
      schema,
      name,
      label: name,
      load,
      target: name,
      currentView,
      duplicates: null,
      excluded: [],
      history: null,
      hashed: [],
      schedule: null,
    },
    source,
  };
}
