import { messageOf } from '../core/errors.ts';

/**
 * Runs a program to its end and ends the process: with its exit code, or with 1 after the error on stderr (with --debug,
 * its stack trace).
 * @param options.name stands before an error.
 * @param options.describe what an error says; default: its message.
 */
export async function runProgram(
  main: () => Promise<void>,
  { name, describe = messageOf }: { name?: string; describe?: (error: unknown) => string },
): Promise<never> {
  try {
    await main();
    process.exit();
  } catch (error) {
    const trace = process.argv.includes('--debug') && error instanceof Error ? error.stack : undefined;
    console.error(`${name === undefined ? '' : `${name}: `}${trace ?? describe(error)}`);
    process.exit(1);
  }
}
