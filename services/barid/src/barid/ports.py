"""Ports that are ours from the start to the end, whether somebody listens on them at the moment or not.

A reservation is a socket that is bound and never listens. Linux lets a listener with SO_REUSEADDR (as asyncio's,
uvloop's and nats-server's are) bind beside it, and gives the port to nobody by chance: neither to one who asks for any
port, nor to a connection that goes out. So a process that is started again finds its port free, also where it lies in
the range that the kernel gives away; and who connects meanwhile is refused at once.

Other systems have no such thing: there a port is looked for and let go, and somebody may come between.
"""

import contextlib
import os
import socket
import sys

ANY = 0
LOOPBACK = "127.0.0.1"
"""Where health is served, and the bus: nobody else asks."""

PRIVILEGED = 1024
_CAN_HOLD = sys.platform.startswith("linux")


class PortError(Exception):
    """A listener can't have its port; the text says which, and what to do."""

    exit_code = os.EX_UNAVAILABLE


class Reservations:
    """All ports of a system. `release` when it has ended."""

    def __init__(self) -> None:
        self._held = contextlib.ExitStack()

    def take(self, name: str, host: str, port: int = ANY) -> int:
        """The port, reserved. name: of the listener, for the words of a refusal. Raises PortError."""
        try:
            held = _bound(host, port)
        except OSError as error:
            advice = "choose others with --port-base"
            if 0 < port < PRIVILEGED:
                advice = "be root for those below 1024, or --port-base"
            raise PortError(f"{name} can't listen on {host}:{port}: {error.strerror or error}; {advice}") from error
        number = int(held.getsockname()[1])
        if _CAN_HOLD:
            self._held.enter_context(held)
        else:
            held.close()
        return number

    def release(self) -> None:
        self._held.close()


def _bound(host: str, port: int) -> socket.socket:
    """Raises OSError: the port is taken, or not for us, or the host is none of ours."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # As asyncio's: a listener on `::` leaves the IPv4 port to another.
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
