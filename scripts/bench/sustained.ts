import type { Lab } from './lab.ts';
import type { BenchResult } from './result.ts';
export async function sustained(lab: Lab): Promise<Omit<BenchResult, 'seconds'>> {
  void lab;
  throw new Error('x');
}
