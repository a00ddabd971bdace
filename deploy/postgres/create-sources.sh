#!/bin/bash
# Makes each source database with its owner, its tables and the capture role. Runs by itself when the server's data
# folder is empty; later, after a pipeline was added or a password changed, by hand:
#   docker compose exec postgres /docker-entrypoint-initdb.d/10-create-sources.sh
# Running it again changes nothing but the passwords.
set -euo pipefail

for schema in "${SOURCES_DIR:-/sources}"/*/source.sql; do
  database=$(basename "$(dirname "$schema")")
  echo "source database $database"
  psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
    --set database="$database" --set owner="${database}_owner" <<'SQL'
\getenv password SOURCE_OWNER_PASSWORD
SELECT format('CREATE ROLE %I LOGIN', :'owner') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'owner') \gexec
ALTER ROLE :"owner" PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'owner')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
SQL
  PGOPTIONS="-c tidegate.capture_password=$SOURCE_CAPTURE_PASSWORD -c client_min_messages=warning" \
    psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname "$database" \
    --file "${SOURCES_DIR:-/sources}/role.sql" --file "$schema"
done
