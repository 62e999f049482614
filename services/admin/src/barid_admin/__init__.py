"""REST admin API: operate the system over HTTP."""
