"""The pytest plugin: a whole mail system.

It is loaded in every pytest run of an environment that has this package, so importing it stays cheap, and it brings
only fixtures that speak of mail: what a fixture needs is imported when a test asks for it. Barid's own tests have more
(`barid_testing.fixtures`); their conftest.py loads them.
"""

from .system_fixtures import mail_system, mail_systems, pytest_addoption

__all__ = ["mail_system", "mail_systems", "pytest_addoption"]
