import { SEARCH_ATTRIBUTES } from './names.ts';

interface SearchAttribute {
  key: { name: string; type: 'KEYWORD' };
  value: string;
}

/** Typed search attributes in the shape that Temporal's client and workflow libraries share; absent values are left out. */
export function searchAttributes(values: { pipeline?: string; table?: string; stage?: string }): SearchAttribute[] {
  const present: SearchAttribute[] = [];
  for (const part of ['pipeline', 'table', 'stage'] as const) {
    const value = values[part];
    if (value !== undefined) present.push({ key: { name: SEARCH_ATTRIBUTES[part], type: 'KEYWORD' }, value });
  }
  return present;
}
