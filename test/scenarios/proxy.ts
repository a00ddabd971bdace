import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a proxy does with a request that a rule is asked about. */
export type Verdict =
  /** It is passed on. */
  | { do: 'pass' }
  /** It is passed on once the promise resolves. */
  | { do: 'hold'; until: Promise<unknown> }
  /** ClickHouse never sees it; the client gets this answer. */
  | { do: 'refuse'; status: number; code: number; message: string }
  /** It is held back, never passed on; `then` runs when it has been read. */
  | { do: 'swallow'; then: () => void }
  /** It is passed on and done, but the answer never comes; `then` runs when ClickHouse has answered. */
  | { do: 'lose answer'; then: () => void }
  /** Likewise, and the connection is cut. */
  | { do: 'lose answer and cut' }
  /** The connection is cut before anything is passed on. */
  | { do: 'cut' };

/** A way to ClickHouse's HTTP interface in which a test stands. */
export interface ClickHouseProxy extends AsyncDisposable {
  url: URL;
  /** Is asked about every INSERT into a landing table, of the stream's or of a copy, or of a comparison; null for passing all. */
  rule: ((statement: string) => Verdict) | null;
  /** INSERTs into the stream's landing tables that ClickHouse has answered with success. */
  landed: number;
}

export async function startProxy(target: URL): Promise<ClickHouseProxy> {
  const proxy = { rule: null, landed: 0 } as Pick<ClickHouseProxy, 'rule' | 'landed'>;
  const server = createServer((request, response) => {
    const statement = new URL(request.url ?? '/', target).searchParams.get('query') ?? '';
    const landing = /^INSERT INTO .*_landing`/.test(statement);
    const asked = landing || /^INSERT INTO .*(_copy|_verify_[0-9a-f]{12})`/.test(statement);
    const verdict: Verdict = (asked ? proxy.rule?.(statement) : null) ?? { do: 'pass' };
    void answer({ request, response, target, verdict, onLanded: () => landing && proxy.landed++ });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return Object.assign(proxy, {
    url,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
}

interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  target: URL;
  verdict: Verdict;
  onLanded: () => void;
}

async function answer({ request, response, target, verdict, onLanded }: Exchange): Promise<void> {
  if (verdict.do === 'cut') {
    request.socket.destroy();
    return;
  }
  if (verdict.do === 'swallow' || verdict.do === 'refuse') {
    request.resume();
    await once(request, 'end').catch(() => undefined);
    if (verdict.do === 'swallow') {
      verdict.then();
      return;
    }
    response.writeHead(verdict.status, { 'X-ClickHouse-Exception-Code': String(verdict.code) });
    response.end(`Code: ${verdict.code}. DB::Exception: ${verdict.message}`);
    return;
  }
  if (verdict.do === 'hold') await verdict.until;
  const { method, headers, url = '/' } = request;
  const onwards = httpRequest(new URL(url, target), {
    method: method ?? 'GET',
    headers: { ...headers, host: target.host },
  });
  request.pipe(onwards);
  onwards.on('error', () => request.socket.destroy());
  onwards.on('response', (answered) => {
    if (answered.statusCode === 200) onLanded();
    if (verdict.do === 'lose answer') {
      answered.resume();
      answered.on('end', verdict.then);
      return;
    }
    if (verdict.do === 'lose answer and cut') {
      answered.resume();
      answered.on('end', () => request.socket.destroy());
      return;
    }
    response.writeHead(answered.statusCode ?? 500, answered.headers);
    answered.pipe(response);
  });
}
