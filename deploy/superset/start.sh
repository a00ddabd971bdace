#!/bin/bash
# Brings Superset's own database up to date, makes the administrator and the connection to ClickHouse, and serves.
# Running it again changes nothing but the password of the connection.
set -euo pipefail

superset db upgrade
superset fab create-admin --username admin --firstname Tidegate --lastname Administrator \
  --email admin@localhost --password "$ADMIN_PASSWORD"
superset init

encoded=$(python -c 'import os, urllib.parse; print(urllib.parse.quote(os.environ["CLICKHOUSE_READER_PASSWORD"], safe=""))')
superset set-database-uri --database_name 'ClickHouse wms' \
  --uri "clickhousedb://tidegate_reader:$encoded@clickhouse:8123/wms"

exec /app/docker/entrypoints/run-server.sh
