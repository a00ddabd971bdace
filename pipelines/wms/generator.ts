import { randomInt } from 'node:crypto';
import { createSource } from '../createSource.ts';
import type { SourceGenerator } from '../generator.ts';
import { runTraffic } from '../traffic.ts';
import { DEFAULT_ROWS, wmsTables } from './data.ts';
import { stockTraffic } from './traffic.ts';

/** `rows` is the number of rows of stock_balances. */
export const generator: SourceGenerator = {
  database: 'wms',

  async create(options) {
    const { owner, capture, ...filled } = await createSource(options, {
      schema: new URL('source.sql', import.meta.url),
      tables: wmsTables({ rows: options.rows ?? DEFAULT_ROWS, seed: options.seed }),
    });
    return { env: { WMS_DATABASE_URL: owner.href, WMS_CAPTURE_URL: capture.href }, ...filled };
  },

  traffic: (options) => runTraffic(options, stockTraffic(options.seed ?? randomInt(2 ** 32))),
};
