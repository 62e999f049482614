"""Dialogue runner, contract suites, fault injection and the pytest plugin."""
