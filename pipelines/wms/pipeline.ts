import { definePipeline } from '../../core/definition.ts';

/** Warehouse stock: balances live, the catalogues around them once a day, and the two datasets people work with. */
export default definePipeline({
  name: 'wms',
  source: { url: 'WMS_DATABASE_URL', captureUrl: 'WMS_CAPTURE_URL' },
  database: 'wms',
  stream: { connector: 'wms.stock_balances', topicPrefix: 'wms' },
  tables: {
    stock_balances: { load: 'stream', target: 'kafka_wms_stock_balances', currentView: 'stock_balances_v' },
    // Apart from each other, so that the source serves one at a time.
    products: { load: 'reference', schedule: '0 3 * * *' },
    warehouses: { load: 'reference', schedule: '10 3 * * *' },
    regions: { load: 'reference', schedule: '20 3 * * *' },
  },
  views: [
    { name: 'bi_stock_full', file: 'marts/bi_stock_full.sql' },
    { name: 'Остатки (отсутствие)', file: 'marts/absence.sql' },
  ],
});
