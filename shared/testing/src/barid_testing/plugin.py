"""The pytest plugin: fixtures on the real parts.

It is loaded in every pytest run of an environment that has this package, so importing it stays cheap: what a fixture
needs is imported when a test asks for it.
"""

from .fixtures import bus, database, manual_clock, nats_url

__all__ = ["bus", "database", "manual_clock", "nats_url"]
