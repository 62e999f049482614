"""The queue of record in tables: in a file with one owner, or in a PostgreSQL that many relays share."""
