import { STATUS_CODES } from 'node:http';

/** What a request ends with instead of an answer, as RFC 9457 has it. It holds nothing but what the reader may know. */
export interface Problem {
  type: 'about:blank';
  title: string;
  status: number;
  detail: string;
  /** 400: which parameters are wrong, and why. */
  errors?: { parameter: string; message: string }[];
  /** 409: days of the period that are not processed. */
  days?: string[];
}

/** A request that ends with a problem. `reason` is for the access line only. */
export class ProblemError extends Error {
  readonly problem: Problem;
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    {
      detail,
      reason,
      headers = {},
      ...more
    }: Pick<Problem, 'detail' | 'errors' | 'days'> & {
      reason: string;
      headers?: Record<string, string>;
    },
  ) {
    super(detail);
    this.name = 'ProblemError';
    this.problem = { ...problemOf(status, detail), ...more };
    this.reason = reason;
    this.headers = headers;
  }
}

export function problemOf(status: number, detail: string): Problem {
  return { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail };
}
