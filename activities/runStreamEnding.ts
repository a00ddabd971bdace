import { ApplicationFailure, CancelledFailure } from '@temporalio/common';

/**
 * Whoever cancelled the activity gets its result; one that ends since its worker shuts down must be started elsewhere.
 * @throws ApplicationFailure that can be retried, named after the reason.
 */
export function refuseToEndUnasked(signal: AbortSignal): void {
  const { reason } = signal;
  const why = reason instanceof CancelledFailure ? reason.message : 'CANCELLED';
  if (why !== 'CANCELLED')
    throw ApplicationFailure.retryable(`stopped by its worker (${why}), to be started anew`, why);
}
