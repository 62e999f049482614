"""The database: SQLite."""
