-- Who may do what in ClickHouse, by role. Running it again changes nothing.
-- A pipeline of one's own needs the same two grants on its database.

CREATE ROLE IF NOT EXISTS tidegate_writer;
CREATE ROLE IF NOT EXISTS tidegate_reader;

-- The workers create and replace what they write; they own no user and no setting.
GRANT SHOW, SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE ON wms.* TO tidegate_writer;
GRANT SHOW, SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE ON reports_db.* TO tidegate_writer;
GRANT TABLE ENGINE ON * TO tidegate_writer;
GRANT SELECT ON system.* TO tidegate_writer;

-- Dashboards and reports read.
GRANT SHOW, SELECT ON wms.* TO tidegate_reader;
GRANT SHOW, SELECT ON reports_db.* TO tidegate_reader;

-- Readers may change how an answer is formatted, and nothing that is stored. A query that runs away ends.
CREATE SETTINGS PROFILE IF NOT EXISTS tidegate_reader SETTINGS
  readonly = 2,
  max_execution_time = 60 MAX 600,
  max_memory_usage = 4000000000 MAX 4000000000
TO tidegate_reader;
