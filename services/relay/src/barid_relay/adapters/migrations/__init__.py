"""The schema of relay.db."""
