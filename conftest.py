"""Fixtures of this project's own tests, beside those of the pytest plugin: a bus, databases, a clock to be moved."""

pytest_plugins = ["barid_testing.fixtures", "barid_testing.bus_fixtures"]
