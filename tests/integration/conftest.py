"""Two systems and a foreign one, so that a mail has nine steps to walk: a client submits to `here`, whose relay
hands it to the MTA of `there`, where it is filtered, filed and read. `outside` is an MTA that nobody here wrote
(aiosmtpd).

    client ─▶ submission ─▶ journal ─▶ relay ─▶ MTA ─▶ journal ─▶ MDA (Sieve) ─▶ mailstore ─▶ IMAP, POP3 ─▶ client
    └──────────── here: example.test ────────┘  └───────────────────── there: elsewhere.test ──────────────────┘
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as Server
from aiosmtpd.smtp import Envelope, Session

from barid_testing.mail_system import Account, MailSystem

from .front_door import FrontDoor

THERE = "elsewhere.test"
OUTSIDE = "outside.test"

FILTER = """require ["fileinto", "imap4flags"];
if header :contains "Subject" "[list]" { setflag "\\\\Flagged"; fileinto "Archive"; stop; }
"""

PACKAGES = {"mbsync": ("isync",), "swaks": ("swaks", "libnet-ssleay-perl")}
"""Program → Debian packages, where it isn't one of the same name. Without SSLeay swaks has no TLS."""


@dataclass
class Outside:
    """What a foreign MTA got, as it got it."""

    port: int = 0
    got: list[Envelope] = field(default_factory=list)

    async def handle_DATA(self, server: Server, session: Session, envelope: Envelope) -> str:
        self.got.append(envelope)
        return "250 taken"


@dataclass
class World:
    """here, there: two of ours, with each other as the only way. outside: somebody else's."""

    here: MailSystem
    there: MailSystem
    outside: Outside

    def reader(self, script: str = FILTER) -> Account:
        """A new account there, with a Sieve script."""
        account = self.there.account(domain=THERE)
        self.there.sieve(account, script)
        return account


@pytest.fixture(scope="session")
def outside() -> Iterator[Outside]:
    # aiosmtpd's controller asks for a port by number.
    sink = Outside(free_port())
    controller = Controller(sink, hostname="127.0.0.1", port=sink.port)
    controller.start()
    yield sink
    controller.stop()


@pytest.fixture(scope="session", params=["embedded", "cluster"])
def size(request: pytest.FixtureRequest) -> str:
    """Each test once on one machine's parts, once on a cluster's with two processes of each service, to which clients
    come by turns."""
    return str(request.param)


@pytest.fixture(scope="session")
def world(mail_systems: Callable[..., MailSystem], size: str, outside: Outside) -> Iterator[World]:
    """Each has the other's front door as a route before that one has started."""
    here_door, there_door = FrontDoor(), FrontDoor()
    options = {"size": size, "processes": 0 if size == "cluster" else None}
    told = (
        ("--hostname", "mail.example.test", *routes({THERE: there_door.port, OUTSIDE: outside.port})),
        ("--hostname", f"mx.{THERE}", *routes({"example.test": here_door.port})),
    )
    with ThreadPoolExecutor() as both:
        here, there = both.map(lambda each: mail_systems(*each, **options), told)
    here_door.target, there_door.target = lambda: here.smtp, lambda: there.smtp
    there.account("postmaster", domain=THERE)
    yield World(here, there, outside)
    # Not at the end of all tests: systems of the other size come next.
    for each in (here, there):
        each.stop()
    for door in (here_door, there_door):
        door.close()


@pytest.fixture(scope="session")
def mail_system(world: World) -> MailSystem:
    """One of them, for tests of a client with one system."""
    return world.here


def routes(ports: dict[str, int]) -> list[str]:
    return [part for domain, port in ports.items() for part in ("--route", f"{domain}=127.0.0.1:{port}")]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """`program("swaks")`: its path; from the system's packages where they may be installed, else the test skips."""

    def find(name: str) -> str:
        found = shutil.which(name) or _install(PACKAGES.get(name, (name,)), name)
        if found is None:
            pytest.skip(f"{name} isn't here, and can't be installed: that needs Debian's apt-get and root")
        return found

    return find


def _install(packages: tuple[str, ...], name: str) -> str | None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return None
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    for command in (install, ["apt-get", "update", "-q"], install):
        try:
            subprocess.run(command, env=env, capture_output=True, timeout=180, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return None
        if found := shutil.which(name):
            return found
    return None


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., str]:
    """`run(program, *arguments)`: its output; the test fails with all it said if its exit code isn't 0."""

    def call(*command: str, stdin: str = "", env: dict[str, str] | None = None, codes: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(
            [*map(str, command)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8", **(env or {})},
        )
        assert done.returncode in codes, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return call
