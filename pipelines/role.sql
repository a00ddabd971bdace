-- What every source.sql needs. A superuser runs both in one session, in the database itself:
--
--   createuser --pwprompt wms_owner
--   createdb --owner wms_owner wms
--   PGOPTIONS="-c tidegate.capture_password=$PASSWORD" psql --set ON_ERROR_STOP=1 --dbname wms --file role.sql --file wms/source.sql
--
-- No password is in a file: the session gives that of the role which reads, and without it an existing one stays.
-- These procedures are gone when the session ends.

-- From here on, what is created belongs to the database's owner; RESET ROLE ends that.
CREATE OR REPLACE PROCEDURE pg_temp.become_owner() LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SET ROLE %I', (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()));
END $$;

-- Makes a role that may log in and connect to this database, and nothing else yet.
CREATE OR REPLACE PROCEDURE pg_temp.ensure_reader(role text, replication boolean) LANGUAGE plpgsql AS $$
DECLARE
  password text := current_setting('tidegate.capture_password', true);
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
    EXECUTE format('CREATE ROLE %I LOGIN', role);
  END IF;
  IF replication THEN
    EXECUTE format('ALTER ROLE %I REPLICATION', role);
  END IF;
  IF password <> '' THEN
    EXECUTE format('ALTER ROLE %I PASSWORD %L', role, password);
  END IF;
  -- Every role may otherwise connect and make temporary tables, by way of PUBLIC.
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role);
  EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role);
END $$;
