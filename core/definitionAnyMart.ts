import { z } from 'zod';
import type { PipelineEvent } from './definitionEvents.ts';
import { type KeyedMart, keyedMartSchema, parseKeyedMart } from './definitionKeyedMarts.ts';
import { martSchema, type PipelineMart, parseMart } from './definitionMarts.ts';

type MartInput = z.input<typeof martSchema> | z.input<typeof keyedMartSchema>;
/** A mart with a period is merged by days, any other by keys; so a wrong field is told as one of its own kind. */
export const anyMartSchema = z.custom<MartInput>().transform((mart, context) => {
  const byDays = typeof mart === 'object' && mart !== null && ('period' in mart || 'late' in mart);
  const parsed = byDays
    ? { byDays: martSchema.safeParse(mart), byKeys: null }
    : { byDays: null, byKeys: keyedMartSchema.safeParse(mart) };
  for (const { path, message } of (parsed.byDays ?? parsed.byKeys)?.error?.issues ?? []) {
    context.issues.push({ code: 'custom', input: mart, path, message });
  }
  return { byDays: parsed.byDays?.data, byKeys: parsed.byKeys?.data };
});

/**
 * The marts of a definition, those by keys in their order, for each knows the ones before it.
 * @param known.changes targets of stream tables; those without a history are among `targets`, as event topics' are.
 */
export function parseMarts(
  marts: Readonly<Record<string, z.output<typeof anyMartSchema>>>,
  known: { changes: readonly string[]; events: readonly PipelineEvent[]; targets: readonly string[] },
  invalid: (problem: string) => Error,
): { marts: PipelineMart[]; keyedMarts: KeyedMart[] } {
  const parsed: { marts: PipelineMart[]; keyedMarts: KeyedMart[] } = { marts: [], keyedMarts: [] };
  for (const [name, { byDays, byKeys }] of Object.entries(marts)) {
    if (byDays) parsed.marts.push(parseMart([name, byDays], known, invalid));
    const before = parsed.keyedMarts.map((mart) => mart.name);
    if (byKeys) parsed.keyedMarts.push(parseKeyedMart([name, byKeys], { ...known, marts: before }, invalid));
  }
  return parsed;
}
