"""Peers that hold a connection and give nothing for it. Others don't notice."""

import contextlib
import resource
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from barid_testing.mail_system import Account, MailSystem

from .wire import Smtp, Wire

MOST_CONNECTIONS = 1000
"""The ingress's usual limit."""


def test_hundreds_of_silent_connections(besieged: MailSystem, bystander: Account) -> None:
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(Wire(besieged.smtp)) for _ in range(400)]
        half = [stack.enter_context(Smtp(besieged.smtp)) for _ in range(100)]
        for client in half:
            client.send(b"EHLO ha")
        began = time.monotonic()
        besieged.send("somebody@elsewhere.test", bystander, "past the silent ones")
        besieged.expect(bystander, "past the silent ones")
        assert time.monotonic() - began < 3
        assert len(silent) == 400


def test_as_many_as_there_may_be_then_421_then_room_again(besieged: MailSystem, bystander: Account) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Smtp(besieged.smtp)) for _ in range(MOST_CONNECTIONS + 20)]
        codes = [client.greeting.code for client in clients]
        assert codes.count(421) >= 20
        assert codes[0] == 220
    until = time.monotonic() + 5
    while True:
        with Smtp(besieged.smtp) as client:
            if client.greeting.code == 220:
                break
        assert time.monotonic() < until
        time.sleep(0.05)


def test_silent_handshakes_on_the_tls_port(besieged: MailSystem, bystander: Account) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(Wire(besieged.submissions))
        besieged.send("somebody@elsewhere.test", bystander, "past the handshakes")
        besieged.expect(bystander, "past the handshakes")


def test_commands_and_messages_octet_by_octet(besieged: MailSystem, bystander: Account, victim: Account) -> None:
    """50 slow ones at a time; a usual client is as quick as ever, and the slow ones are served in the end."""
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(Smtp(besieged.smtp)).begin(victim.address) for _ in range(50)]
        for octet in b"Subject: slow\r\n\r\nh":
            for client in slow:
                client.send(bytes([octet]))
        began = time.monotonic()
        besieged.send("somebody@elsewhere.test", bystander, "past the slow ones")
        besieged.expect(bystander, "past the slow ones")
        assert time.monotonic() - began < 3
        for client in slow:
            client.send(b"i\r\n.\r\n")
        assert [client.reply().code for client in slow] == [250] * 50


@pytest.mark.parametrize("command", [b"EHLO client\r\n", b"NOOP\r\n", b"HELP\r\n", b"VRFY a\r\n"])
def test_a_peer_that_never_reads_its_replies(besieged: MailSystem, bystander: Account, command: bytes) -> None:
    """Some megabytes of commands: when the replies don't fit, no more are read; others wait for none of them."""
    with Smtp(besieged.smtp) as client, Smtp(besieged.smtp) as other:
        client.say(b"EHLO client")
        client.socket.settimeout(2)
        before = resident(besieged)
        with contextlib.suppress(TimeoutError, ConnectionError):
            client.send(command * (8_000_000 // len(command)))
        # A read's worth of replies stands between two of another's, at most.
        began = time.monotonic()
        assert [other.say(b"NOOP").code for _ in range(10)] == [250] * 10
        assert time.monotonic() - began < 2
        besieged.send("somebody@elsewhere.test", bystander, f"past the deaf one {command!r}")
        besieged.expect(bystander, f"past the deaf one {command!r}")
        assert resident(besieged) - before < 8_000_000


def test_a_peer_that_reads_late_gets_every_reply(besieged: MailSystem) -> None:
    with Smtp(besieged.smtp) as client:
        client.say(b"EHLO client")
        sending = threading.Thread(target=client.send, args=(b"NOOP\r\n" * 300_000 + b"QUIT\r\n",))
        sending.start()
        time.sleep(0.5)
        got = client.read_to_end()
        sending.join()
    assert got == b"250 2.0.0 OK\r\n" * 300_000 + b"221 2.0.0 Bye\r\n"


def resident(system: MailSystem) -> int:
    """Octets of memory of the process that has the doors."""
    pid = system.pids()["smtp_ingress"]
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def test_connections_that_are_reset(besieged: MailSystem) -> None:
    for number in range(100):
        client = Smtp(besieged.smtp)
        client.send((b"EHLO x\r\n", b"EHLO x\r\nMAIL FROM:<>\r\nRC", b"")[number % 3])
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.socket.close()
