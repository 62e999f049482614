"""The schema of directory.db, a file a step."""
