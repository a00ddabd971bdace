import { definePipeline } from '../../core/definition.ts';

/** Sales of a marketplace: five tables live, and one row an order item with all that belongs to it. */
export default definePipeline({
  name: 'shop',
  source: { url: 'SHOP_DATABASE_URL', captureUrl: 'SHOP_CAPTURE_URL' },
  database: 'shop',
  stream: { connector: 'shop-connector', partitions: 3 },
  tables: {
    users: { target: 'users_versions', currentView: 'users' },
    sellers: { target: 'sellers_versions', currentView: 'sellers' },
    products: { target: 'products_versions', currentView: 'products' },
    orders: { target: 'orders_versions', currentView: 'orders' },
    order_items: { target: 'order_items_versions', currentView: 'order_items' },
  },
  marts: {
    sales: {
      file: 'marts/sales.sql',
      key: ['order_item_id'],
      // By time, for dashboards ask for ranges of it.
      orderBy: ['ordered_at', 'order_item_id'],
      inputs: {
        order_items_versions: { order_item_id: 'order_item_id' },
        orders_versions: { order_id: 'order_id' },
        products_versions: { product_id: 'product_id' },
        sellers_versions: { seller_id: 'seller_id' },
        users_versions: { user_id: 'user_id' },
      },
      refreshEvery: '1m',
    },
    // For dashboards; follows the merges of sales.
    sales_by_day: {
      file: 'marts/sales_by_day.sql',
      key: ['day'],
      orderBy: ['dimension', 'day', 'hour', 'name', 'id'],
      inputs: { sales: { day: "toDate(ifNull(ordered_at, toDateTime64(0, 6, 'UTC')), 'UTC')" } },
      keysAtOnce: 120,
    },
  },
});
