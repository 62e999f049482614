#!/bin/sh
# start [-c NAME=VALUE…]: PostgreSQL, told what to do by the same variables and folder as the public image `postgres`:
# POSTGRES_USER, POSTGRES_PASSWORD_FILE, POSTGRES_DB, PGDATA; scripts of /docker-entrypoint-initdb.d run once.
set -eu
export PGDATA="${PGDATA:-/data/pgdata}" POSTGRES_USER="${POSTGRES_USER:-postgres}"
export POSTGRES_DB="${POSTGRES_DB:-$POSTGRES_USER}" PGHOST=/tmp

# What an interrupted first start left is no database: it gets its name when all of it is there.
if [ ! -f "$PGDATA/PG_VERSION" ]; then
  rm -rf "$PGDATA.new"
  initdb -D "$PGDATA.new" -U "$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" -A scram-sha-256 --auth-local=trust \
    -E UTF8 --locale=C >/dev/null
  echo 'host all all all scram-sha-256' >> "$PGDATA.new/pg_hba.conf"
  pg_ctl -D "$PGDATA.new" -w -s -o "-c listen_addresses='' -k /tmp" start
  [ "$POSTGRES_DB" = postgres ] || psql -q -U "$POSTGRES_USER" -d postgres -c "CREATE DATABASE \"$POSTGRES_DB\""
  for script in /docker-entrypoint-initdb.d/*.sh; do
    [ ! -f "$script" ] || sh "$script"
  done
  pg_ctl -D "$PGDATA.new" -w -s -m fast stop
  mv "$PGDATA.new" "$PGDATA"
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -k /tmp "$@"
