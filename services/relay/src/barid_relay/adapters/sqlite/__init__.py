"""The queue of record on SQLite."""
