"""Fixtures of this project's own tests, beside those of the pytest plugin: a bus, databases, a clock to be moved. And
how tests are dealt to processes that run side by side (`make test`)."""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["barid_testing.fixtures", "barid_testing.bus_fixtures"]

WHOLE_SYSTEMS = ("tests/chaos/", "tests/faults/", "tests/hostile/", "tests/integration/")
"""One process has them all, one after the other: they share systems that take seconds to start, and measure what would
be another number beside each other."""


def dealt_with(nodeid: str) -> str:
    """What is dealt as one: all tests of whole systems, else those of a file."""
    return "whole systems" if nodeid.startswith(WHOLE_SYSTEMS) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "LoadScopeScheduling | None":
    """For `-n N --dist loadfile`, which alone would start such systems in each process."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class WithSystems(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return dealt_with(nodeid)

    return WithSystems(config, log)
