"""One system for all faults that leave it as it was. Those that don't have their own."""

from collections.abc import Callable

import pytest

from barid_testing.mail_system import MailSystem


@pytest.fixture(scope="package")
def system(mail_systems: Callable[..., MailSystem]) -> MailSystem:
    """A process for each service, at the log level that shows most: test_logs_hold_no_secrets.py reads all of it."""
    return mail_systems("--log-level", "debug", processes=0)
