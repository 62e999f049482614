#!/bin/sh
# Run once, by the image, when the database is new: a role for each service that has tables, with a password of its own.
# Each makes its schema itself and owns it; none sees another's.
set -eu
for role in directory relay mailstore; do
  psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -v role="$role" -v password="$(cat "/secrets/$role")" <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
SELECT format('GRANT CONNECT, CREATE ON DATABASE %I TO %I', current_database(), :'role') \gexec
SQL
done
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c 'REVOKE ALL ON SCHEMA public FROM PUBLIC'
