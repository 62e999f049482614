"""Fixtures of a whole mail system, and their options."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .mail_system import MailSystem


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("barid")
    group.addoption(
        "--barid-processes",
        type=int,
        default=None,
        help="processes of the fixture mail_system; 0: one for each service (default: the ini value, 1)",
    )
    group.addoption(
        "--barid-size",
        choices=("embedded", "cluster"),
        default="embedded",
        help="cluster: on three nats-servers, PostgreSQL and S3, all on this machine (needs `barid[cluster]`)",
    )
    parser.addini("barid_processes", "processes of the fixture mail_system", default="1")
    parser.addini(
        "barid_relay",
        "programs may send anywhere by mail_system's port smtp without a log-in, as to a local relay; it is captured",
        type="bool",
        default=True,
    )
    parser.addini("barid_options", "further options of `barid up` for mail_system", type="args", default=[])


@pytest.fixture(scope="session")
def mail_systems(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> "Iterator[Callable[..., MailSystem]]":
    """A factory for tests that need several, or special ones: `mail_systems(*options, processes=…, size=…)`.

    size: None is that of the command line. Each has data and ports of its own and is stopped at the end of the
    session, if it wasn't before.
    """
    from .mail_system import MailSystem

    chosen = pytestconfig.getoption("--barid-processes")
    usual = chosen if chosen is not None else int(pytestconfig.getini("barid_processes"))
    asked = pytestconfig.getoption("--barid-size")
    with ExitStack() as stack:

        def start(*options: str, processes: int | None = None, size: str | None = None) -> MailSystem:
            size = size or asked
            if size == "cluster":
                # Not pytest's folder: it is closed to the user that root's PostgreSQL runs as.
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="barid-")))
                folder.chmod(0o711)
            else:
                folder = tmp_path_factory.mktemp("barid")
            told = ("--size", size, *options)
            system = MailSystem(folder, told, processes=usual if processes is None else processes)
            system.start()
            stack.callback(system.stop)
            return system

        yield start


@pytest.fixture(scope="session")
def mail_system(mail_systems: "Callable[..., MailSystem]", pytestconfig: pytest.Config) -> "MailSystem":
    """A running Barid for the whole session (mail_system.py says what it can). Tests keep apart by using accounts of
    their own: `mail_system.account()`."""
    from .mail_system import ANYWHERE

    relay = ANYWHERE if pytestconfig.getini("barid_relay") else ()
    return mail_systems(*relay, *pytestconfig.getini("barid_options"))
