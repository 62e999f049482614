"""What stands behind the ports: SQLite, the bus, the journal."""
