import { ApplicationFailure, condition, defineSignal, defineUpdate, setHandler } from '@temporalio/workflow';
import type { Reconfigured } from '../core/activityTypes.ts';
import { TidegateError } from '../core/errors.ts';
import type { Supervisor } from '../core/supervisor.ts';
import { iso } from '../core/supervisorState.ts';

/** Loads a table anew beside its stream; answers at once with the ticket by which the status names it. */
export const resyncUpdate = defineUpdate<number, [table: string]>('resync');
/** Takes the definition over as it is now, without a pause. */
export const reconfigureUpdate = defineUpdate<Reconfigured>('reconfigure');
/** Likewise, and fails unless the table is streamed then. It has its rows when its resync is over. */
export const addTableUpdate = defineUpdate<Reconfigured, [table: string]>('addTable');
/** Likewise, and fails if the table is streamed still. Its target stays. */
export const removeTableUpdate = defineUpdate<Reconfigured, [table: string]>('removeTable');

/** Changes nothing. The server hands an update to a worker for sure when a signal follows it. */
export const wakeSignal = defineSignal('wake');

/** @param take runs an input and shows what comes of it. */
export function handleStreamUpdates(supervisor: Supervisor, take: (input: () => void) => void): void {
  const reconfigure = async (): Promise<Reconfigured> => {
    const { at: errorBefore } = supervisor.status.lastError ?? { at: '' };
    take(() => supervisor.reconfigure());
    const beside = supervisor.mustRead;
    if (beside) await condition(() => !supervisor.changing);
    const { lastError, definitionHash, streamed } = supervisor.status;
    if (beside && lastError && lastError.at !== errorBefore) throw refusal(lastError.code, lastError.message);
    return { definitionHash: beside ? definitionHash : null, streamed };
  };
  const streams = (table: string) => supervisor.status.streamed.includes(table);

  setHandler(
    resyncUpdate,
    (table) => {
      let ticket = 0;
      const reason = 'Asked for by an operator.';
      take(() => {
        ticket = supervisor.resyncs.request(table, { reason, now: iso(Date.now()) });
      });
      return ticket;
    },
    { validator: (table) => typed(() => supervisor.requireResyncable(table)) },
  );
  setHandler(wakeSignal, () => undefined);
  setHandler(reconfigureUpdate, reconfigure);
  setHandler(
    addTableUpdate,
    async (table) => {
      const result = await reconfigure();
      if (result.definitionHash === null || streams(table)) return result;
      throw refusal('UNKNOWN_TABLE', `The workers' definition has no stream table '${table}'. Add it there first.`);
    },
    {
      validator: (table) => {
        if (streams(table)) throw refusal('UNKNOWN_TABLE', `'${table}' is streamed already.`);
      },
    },
  );
  setHandler(
    removeTableUpdate,
    async (table) => {
      const result = await reconfigure();
      if (result.definitionHash === null || !streams(table)) return result;
      throw refusal('INVALID_DEFINITION', `The workers' definition still streams '${table}'. Take it out there first.`);
    },
    {
      validator: (table) => {
        if (!streams(table)) throw refusal('UNKNOWN_TABLE', `No table '${table}' is streamed.`);
      },
    },
  );
}

function refusal(type: string, message: string): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nonRetryable: true });
}

function typed(check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof TidegateError)) throw error;
    throw refusal(error.code, error.line);
  }
}
