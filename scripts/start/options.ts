import { Command, InvalidArgumentError, Option } from 'commander';

/** What `npm start` was asked for. */
export interface StartOptions {
  /** End after everything has been verified, without live traffic. */
  once: boolean;
  /** Names of the pipelines to run; all that have a generator when empty. */
  only: string[];
  fresh: boolean;
  /** Rows of generated data in the largest table; the generator's default when undefined. */
  rows: number | undefined;
  ports: 'fixed' | 'auto';
  /** Transactions a second of live traffic; 0 turns it off. */
  traffic: number;
  debug: boolean;
}

function wholeNumber(text: string): number {
  const value = Number(text.replaceAll('_', ''));
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('It takes a whole number.');
  return value;
}

/** The command with its options and help; parsing is left to the caller. */
export function startCommand(): Command {
  return new Command('npm start --')
    .description(
      'Starts the local stack, fills the sources with generated data, sets the pipelines up, loads, streams, and shows it\n' +
        'happening. Ctrl-C stops all that it started and keeps the data.',
    )
    .option('--once', 'end when everything has landed and been verified; the last line is JSON', false)
    .option('--only <pipelines>', 'some pipelines, separated by commas', (text) => text.split(',').filter(Boolean), [])
    .option('--fresh', 'forget the data of earlier runs first', false)
    .option('--rows <n>', 'rows of generated data in the largest table of each source', wholeNumber)
    .addOption(new Option('--ports <mode>', 'fixed ports, or free ones').choices(['fixed', 'auto']).default('fixed'))
    .option('--traffic <n>', 'transactions a second that change the sources afterwards', wholeNumber, 20)
    .option('--debug', 'show stack traces of errors', false);
}
