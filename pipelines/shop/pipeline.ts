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
  views: [{ name: 'sales', file: 'marts/sales.sql' }],
});
