import { connect } from 'node:net';

const metadataKey = 3;
const metadataVersion = 5;

/**
 * Asks a broker for the cluster's metadata and returns how many brokers are registered. It speaks the protocol itself:
 * a client that keeps connections alive would be much ado about one request.
 */
export function countBrokers(options: { host: string; port: number; timeoutMs: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: options.host, port: options.port });
    const fail = (why: string): void => {
      socket.destroy();
      reject(new Error(why));
    };
    let received = Buffer.alloc(0);
    socket.setTimeout(options.timeoutMs, () => fail('the broker did not answer in time'));
    socket.once('error', (error) => fail(error.message));
    socket.once('end', () => fail('the broker closed the connection'));
    socket.once('connect', () => socket.write(metadataRequest()));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      // Length, correlation id and throttle time stand before the array of brokers.
      if (received.length < 16) return;
      socket.destroy();
      resolve(received.readInt32BE(12));
    });
  });
}

/** Asks for no topic at all, so that the answer is about brokers only. */
function metadataRequest(): Buffer {
  const client = Buffer.from('tidegate-stack');
  const request = Buffer.alloc(4 + 2 + 2 + 4 + 2 + client.length + 4 + 1);
  let at = request.writeInt32BE(request.length - 4, 0);
  at = request.writeInt16BE(metadataKey, at);
  at = request.writeInt16BE(metadataVersion, at);
  at = request.writeInt32BE(1, at);
  at = request.writeInt16BE(client.length, at);
  at += client.copy(request, at);
  at = request.writeInt32BE(0, at);
  request.writeInt8(0, at);
  return request;
}
