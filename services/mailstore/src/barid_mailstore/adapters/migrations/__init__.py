"""The schema of `mailstore.db`, revision by revision."""
