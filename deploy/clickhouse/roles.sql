-- Who may do what in ClickHouse, by role. Running it again changes nothing.
-- A pipeline of one's own needs the same two grants on its database.

CREATE ROLE IF NOT EXISTS tidegate_writer;
CREATE ROLE IF NOT EXISTS tidegate_reader;
CREATE ROLE IF NOT EXISTS tidegate_report;

-- The workers create and replace what they write; they own no user and no setting.
GRANT SHOW, SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE ON wms.* TO tidegate_writer;
GRANT SHOW, SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE ON reports_db.* TO tidegate_writer;
GRANT TABLE ENGINE ON * TO tidegate_writer;
GRANT SELECT ON system.* TO tidegate_writer;
-- For pipelines whose changes ClickHouse takes in by its own Kafka engine.
GRANT KAFKA ON *.* TO tidegate_writer;

-- Dashboards read.
GRANT SHOW, SELECT ON wms.* TO tidegate_reader;
GRANT SHOW, SELECT ON reports_db.* TO tidegate_reader;

-- Readers may change how an answer is formatted, and nothing that is stored. A query that runs away ends.
CREATE SETTINGS PROFILE IF NOT EXISTS tidegate_reader SETTINGS
  readonly = 2,
  max_execution_time = 60 MAX 600,
  max_memory_usage = 4000000000 MAX 4000000000
TO tidegate_reader;

-- The report service reads its mart, and what says whether a day of it is merged. It may change no setting.
GRANT SELECT ON reports_db.prosthesis_reports_mart TO tidegate_report;
GRANT SELECT ON reports_db.tidegate_periods TO tidegate_report;
GRANT SELECT(recorded_at, _partition, _offset) ON reports_db.prosthesis_telemetry TO tidegate_report;
GRANT SELECT(topic, partition, offset) ON reports_db.dead_letters TO tidegate_report;
CREATE SETTINGS PROFILE IF NOT EXISTS tidegate_report SETTINGS
  readonly = 1,
  max_execution_time = 10,
  max_memory_usage = 1000000000,
  max_result_rows = 100000,
  max_threads = 2,
  output_format_json_quote_64bit_integers = 1
TO tidegate_report;
