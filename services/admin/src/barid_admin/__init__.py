"""REST admin API."""
