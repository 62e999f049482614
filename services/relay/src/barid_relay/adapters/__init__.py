"""The doors of the embedded size: SQLite, the DNS, connections to other hosts."""
