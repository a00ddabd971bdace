/** What a message says, for people and programs that follow it. Numbers keep all their digits. */
export interface TailedChange {
  /** insert, update, delete or truncate; event for what is no change. */
  op: string;
  /** When it was committed at the source, epoch milliseconds; null for events. */
  committedMs: number | null;
  /** The row before, where the message has it. */
  before: unknown;
  /** The row after, or the event. */
  after: unknown;
}

const OPS: Readonly<Record<string, string>> = { c: 'insert', u: 'update', d: 'delete', t: 'truncate', r: 'read' };

/** ECMAScript's, which TypeScript's library does not have yet. */
const parseWithSource = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
) => unknown;
const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown };

/** Parses JSON so that JSON.stringify writes its numbers as they were. @throws SyntaxError */
function parseExactly(text: string): unknown {
  return parseWithSource(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined ? rawJSON(source) : value,
  );
}

/** Reads a message; null when it is not JSON. @param kind changes: as Debezium writes them. */
export function readTailed(value: Buffer, kind: 'changes' | 'events'): TailedChange | null {
  let message: unknown;
  try {
    message = parseExactly(value.toString('utf8'));
  } catch {
    return null;
  }
  if (kind === 'events') return { op: 'event', committedMs: null, before: null, after: message };
  const { op, before, after, source } = (message ?? {}) as Partial<Record<string, unknown>>;
  const committed = JSON.stringify((source as { ts_ms?: unknown } | undefined)?.ts_ms);
  return {
    op: OPS[String(op)] ?? String(op),
    committedMs: committed === undefined ? null : Number(committed),
    before: before ?? null,
    after: after ?? null,
  };
}
