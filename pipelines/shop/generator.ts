import { randomInt } from 'node:crypto';
import { createSource } from '../createSource.ts';
import type { SourceGenerator } from '../generator.ts';
import { runTraffic } from '../traffic.ts';
import { DEFAULT_ROWS, shopTables } from './data.ts';
import { shopTraffic } from './traffic.ts';

/** `rows` is the number of rows of order_items. */
export const generator: SourceGenerator = {
  database: 'shop',

  async create(options) {
    const { owner, capture, ...filled } = await createSource(options, {
      schema: new URL('source.sql', import.meta.url),
      tables: shopTables({ rows: options.rows ?? DEFAULT_ROWS, seed: options.seed }),
    });
    return { env: { SHOP_DATABASE_URL: owner.href, SHOP_CAPTURE_URL: capture.href }, ...filled };
  },

  traffic: (options) => runTraffic(options, shopTraffic(options.seed ?? randomInt(2 ** 32))),
};
