"""Ports of a system are its own, also while nobody listens on them."""

import errno
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from barid.ports import LOOPBACK, PortError, Reservations
from barid_testing.mail_system import MailSystem

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems can't hold a port")


@pytest.fixture
def reserved() -> Iterator[Reservations]:
    made = Reservations()
    yield made
    made.release()


def test_a_listener_has_its_port_and_has_it_again(reserved: Reservations) -> None:
    port = reserved.take("smtp", LOOPBACK)
    for _ in range(2):
        with socket.create_server((LOOPBACK, port)):
            socket.create_connection((LOOPBACK, port), timeout=5).close()


def test_who_connects_while_nobody_listens_is_refused_at_once(reserved: Reservations) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, reserved.take("smtp", LOOPBACK)), timeout=5)


def test_nobody_gets_it_by_chance(reserved: Reservations) -> None:
    """As many ports as a process may hold are asked for, each way: a fifth of all that the kernel gives away, and a
    hundred of them are ours. That none is met by luck has a chance of one in ten thousand millions."""
    ours = {reserved.take("smtp", LOOPBACK) for _ in range(100)}
    with ExitStack() as held, socket.create_server((LOOPBACK, 0), backlog=4096) as listener:
        for count in range(6_000):
            other = held.enter_context(socket.socket())
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                if count % 10:
                    other.bind((LOOPBACK, 0))
                else:
                    other.connect(listener.getsockname())
                    held.enter_context(listener.accept()[0])
            except OSError as error:
                assert error.errno in (errno.EMFILE, errno.ENFILE)
                break
            assert other.getsockname()[1] not in ours


def test_a_port_that_is_taken_is_refused_by_name(reserved: Reservations) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortError, match=rf"^imaps can't listen on {LOOPBACK}:{port}: .* --port-base"):
            reserved.take("imaps", LOOPBACK, port)


def test_a_host_that_is_none_of_ours_is_refused(reserved: Reservations) -> None:
    with pytest.raises(PortError, match=r"can.t listen on 192\.0\.2\.1"):
        reserved.take("smtp", "192.0.2.1")


def test_a_system_keeps_the_ports_of_its_dead(mail_systems: Callable[..., MailSystem]) -> None:
    """A process is killed; before it comes back, somebody asks for all the ports that there are to be had."""
    system = mail_systems(processes=0)
    pid = system.pids()["smtp_ingress"]
    with ExitStack() as greedy:
        os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            taken = greedy.enter_context(socket.socket())
            try:
                taken.bind((LOOPBACK, 0))
            except OSError:
                break
            assert taken.getsockname()[1] not in {system.smtp.port, system.submission.port, system.lmtp.port}
    system.wait_restarted("smtp_ingress", pid)
    _listens(system.smtp)
    system.send("a@elsewhere.test", "bob@example.test", "after")
    assert system.expect(to="bob@example.test", subject="after", within=30)


def _listens(endpoint: tuple[str, int]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with suppress(ConnectionRefusedError), socket.create_connection(endpoint, timeout=5):
            return
        time.sleep(0.02)


def test_the_log_of_a_start_where_a_port_is_taken_names_it(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Exception, match=f"imap can't listen on {LOOPBACK}:{port}"):
            MailSystem(tmp_path, ["--set", f"mss.imap_port={port}"]).start()
