-- Changes to every table of pagila. It may run any number of times.

INSERT INTO country (country) SELECT 'Country ' || n FROM generate_series(1, 6) n;
INSERT INTO city (city, country_id) SELECT 'City ' || n, (SELECT max(country_id) FROM country) FROM generate_series(1, 6) n;
INSERT INTO address (address, address2, district, city_id, postal_code, phone)
  SELECT n || E' "Quoted"\tStreet\n\\', CASE n % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'Ω 😀' END, '', max(city_id), NULL, '+1'
  FROM city, generate_series(1, 6) n GROUP BY n;
INSERT INTO language (name) VALUES ('Quenya'), (''), ('  two words  '), ('gone');
INSERT INTO category (name) SELECT 'Category ' || n FROM generate_series(1, 4) n;
INSERT INTO actor (first_name, last_name, last_update)
  VALUES ('ÉLODIE', 'O''NEIL', '1969-12-31 23:59:59.999999+00'), ('', '', '2024-02-29 12:00:00.5+05:30'), ('A', 'GONE', now());
INSERT INTO film (title, description, release_year, language_id, original_language_id, rental_duration, rental_rate, length,
    replacement_cost, rating, special_features)
  SELECT 'FILM ' || n, CASE WHEN n % 2 = 0 THEN repeat(md5(n::text), 200) END, 1900 + n, (SELECT max(language_id) FROM language) - 2,
    NULL, n, n + 0.99, NULL, 99.9, (enum_range(NULL::mpaa_rating))[1 + n % 5],
    CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN '{}' WHEN 2 THEN ARRAY['a "b"', NULL, '', 'c,d'] ELSE ARRAY['NULL', E'\\'] END
  FROM generate_series(1, 12) n;
INSERT INTO film_actor (actor_id, film_id) SELECT a, f FROM
  (SELECT actor_id FROM actor ORDER BY actor_id DESC LIMIT 3) AS actors(a),
  (SELECT film_id FROM film ORDER BY film_id DESC LIMIT 6) AS films(f);
INSERT INTO film_category (film_id, category_id) SELECT film_id, (SELECT max(category_id) FROM category) - 1
  FROM film ORDER BY film_id DESC LIMIT 6;
INSERT INTO store (manager_staff_id, address_id) SELECT coalesce(max(manager_staff_id), 0) + 100, 3 FROM store;
INSERT INTO staff (first_name, last_name, address_id, email, store_id, username, password, picture)
  SELECT 'New', 'Staff', 3, NULL, max(store_id), 'new', NULL, decode(repeat('00ff5c0a', 1000), 'hex') FROM store;
INSERT INTO customer (store_id, first_name, last_name, email, address_id, activebool, create_date, active)
  SELECT 1, 'New', 'Customer ' || n, NULLIF('', ''), (SELECT max(address_id) FROM address), n % 2 = 0, '0001-01-01'::date + n, NULL
  FROM generate_series(700000, 700005) n;
INSERT INTO inventory (film_id, store_id) SELECT film_id, 1 FROM film ORDER BY film_id DESC LIMIT 6;
INSERT INTO rental (rental_date, inventory_id, customer_id, return_date, staff_id)
  SELECT '2022-03-31 22:00:00+00'::timestamptz + inventory_id * interval '1 second', inventory_id, 1, NULL, 1
  FROM inventory ORDER BY inventory_id DESC LIMIT 6;
INSERT INTO payment (customer_id, staff_id, rental_id, amount, payment_date)
  SELECT 1, 1, rental_id, -999.99, '2022-03-31 22:30:00+00'::timestamptz + (rental_id % 100) * interval '1 hour'
  FROM rental ORDER BY rental_id DESC LIMIT 6;
INSERT INTO packages_apt_postgresql_org (last_updated, aptdata)
  VALUES ('0001-01-01', NULL), ('2022-01-01 00:00:00.000001', '{"a": [1.10, null, "x\ny"], "z": 12345678901234567890}'), (now(), 'null');
INSERT INTO packages_yum_postgresql_org (last_updated, yumdata)
  VALUES ('2022-01-01', '[]'), ('2022-01-01', '{"e": 1e400}'), (now(), '""');

-- Every trigger and every cascade of an update.
UPDATE country SET country = country || '!', country_id = country_id + 1000000 WHERE country_id = (SELECT max(country_id) FROM country);
UPDATE city SET city = upper(city) WHERE city_id % 7 = 0;
UPDATE address SET phone = phone || '0', address2 = NULL WHERE address_id % 5 = 0;
UPDATE language SET name = lower(name) WHERE language_id % 2 = 0;
UPDATE category SET name = name || ' ' WHERE category_id % 3 = 0;
UPDATE actor SET last_name = initcap(last_name) WHERE actor_id % 4 = 0;
UPDATE film SET rental_rate = rental_rate + 0.01, rating = NULL, special_features = array_append(special_features, 'new') WHERE film_id % 3 = 0;
UPDATE film SET title = title || ' II' WHERE film_id % 5 = 0;
UPDATE film_actor SET last_update = now() WHERE film_id % 9 = 0;
UPDATE film_category SET category_id = 1 WHERE film_id % 11 = 0;
UPDATE store SET address_id = 4 WHERE store_id = (SELECT max(store_id) FROM store);
UPDATE staff SET active = NOT active, last_name = last_name || 'x';
UPDATE customer SET active = coalesce(active, 0) + 1, email = lower(email) WHERE customer_id % 2 = 0;
UPDATE inventory SET store_id = 3 - store_id WHERE inventory_id % 6 = 0 AND store_id IN (1, 2);
UPDATE rental SET return_date = rental_date + interval '3 days 00:00:00.000001' WHERE rental_id % 4 = 0;
UPDATE payment SET amount = amount + 1 WHERE payment_id % 3 = 0 AND amount < 900;
UPDATE payment SET payment_date = payment_date + interval '1 month' WHERE payment_id % 10 = 1 AND payment_date < '2022-06-01';
UPDATE packages_apt_postgresql_org SET aptdata = jsonb_build_object('was', aptdata) WHERE id % 2 = 0;
UPDATE packages_yum_postgresql_org SET last_updated = last_updated + interval '1 day' WHERE id % 2 = 1;

DELETE FROM payment WHERE payment_id % 13 = 0;
DELETE FROM rental r WHERE rental_id % 5 = 0 AND NOT EXISTS (SELECT FROM payment p WHERE p.rental_id = r.rental_id);
DELETE FROM inventory i WHERE NOT EXISTS (SELECT FROM rental r WHERE r.inventory_id = i.inventory_id) AND inventory_id % 2 = 0;
DELETE FROM film_actor WHERE actor_id = (SELECT max(actor_id) FROM actor);
DELETE FROM actor WHERE actor_id = (SELECT max(actor_id) FROM actor);
DELETE FROM film_category WHERE film_id % 17 = 0;
DELETE FROM category c WHERE category_id > 100000 AND NOT EXISTS (SELECT FROM film_category f WHERE f.category_id = c.category_id);
DELETE FROM film f WHERE film_id > 100000 AND film_id % 3 = 1
  AND NOT EXISTS (SELECT FROM inventory i WHERE i.film_id = f.film_id)
  AND NOT EXISTS (SELECT FROM film_actor a WHERE a.film_id = f.film_id)
  AND NOT EXISTS (SELECT FROM film_category c WHERE c.film_id = f.film_id);
DELETE FROM language WHERE name = 'gone';
DELETE FROM customer WHERE customer_id > 100000 AND customer_id % 3 = 0;
DELETE FROM staff WHERE staff_id > 100000 AND staff_id % 2 = 0;
DELETE FROM store s WHERE store_id > 100000 AND NOT EXISTS (SELECT FROM staff WHERE staff.store_id = s.store_id);
DELETE FROM address a WHERE address_id > 100000 AND address_id % 2 = 0
  AND NOT EXISTS (SELECT FROM customer c WHERE c.address_id = a.address_id);
DELETE FROM city c WHERE city_id > 100000 AND city_id % 3 = 0 AND NOT EXISTS (SELECT FROM address a WHERE a.city_id = c.city_id);
DELETE FROM country c WHERE country_id BETWEEN 100000 AND 999999 AND country_id % 2 = 0
  AND NOT EXISTS (SELECT FROM city WHERE city.country_id = c.country_id);
DELETE FROM packages_apt_postgresql_org WHERE id % 3 = 0;
DELETE FROM packages_yum_postgresql_org WHERE id % 3 = 0;
