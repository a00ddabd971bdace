-- The role that reads the source of the benchmarks. Tables are made by their owner, as each benchmark needs them.
CALL pg_temp.ensure_reader('debezium', replication => true);
