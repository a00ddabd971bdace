#!/bin/bash
# Makes the users of the roles, or gives them the passwords that are set now. Passwords are hashed here, so that no
# statement, and no log of statements, holds one.
set -euo pipefail

create_user() {
  local name=$1 role=$2 password=$3 hash
  hash=$(printf %s "$password" | sha256sum | cut --delimiter=' ' --fields=1)
  clickhouse-client --host 127.0.0.1 --user "$CLICKHOUSE_USER" --password "$CLICKHOUSE_PASSWORD" --query "
    CREATE USER IF NOT EXISTS $name IDENTIFIED WITH sha256_hash BY '$hash';
    ALTER USER $name IDENTIFIED WITH sha256_hash BY '$hash';
    GRANT $role TO $name;
    ALTER USER $name DEFAULT ROLE $role;"
}

create_user tidegate tidegate_writer "$WRITER_PASSWORD"
create_user tidegate_reader tidegate_reader "$READER_PASSWORD"
create_user tidegate_report tidegate_report "$REPORT_PASSWORD"
