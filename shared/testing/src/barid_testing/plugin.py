"""The pytest plugin: fixtures on the real parts, and a whole mail system.

It is loaded in every pytest run of an environment that has this package, so importing it stays cheap: what a fixture
needs is imported when a test asks for it.
"""

from .fixtures import bus, database, manual_clock, nats_url, place, postgres, postgres_server
from .system_fixtures import mail_system, mail_systems, pytest_addoption

__all__ = [
    "bus",
    "database",
    "mail_system",
    "mail_systems",
    "manual_clock",
    "nats_url",
    "place",
    "postgres",
    "postgres_server",
    "pytest_addoption",
]
