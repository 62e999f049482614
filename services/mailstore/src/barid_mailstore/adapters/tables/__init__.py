"""The index on SQLite: one repository file per concern, all on the unit of work of `index.py`."""
