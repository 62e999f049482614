"""A port known beforehand, before listeners that aren't there yet: as a load balancer stands before replicas."""

import contextlib
import select
import socket
import threading
from collections.abc import Callable

from barid_testing.mail_system import Endpoint

ONE_READ = 1 << 16


class FrontDoor:
    """Each connection goes to where `target` says at that moment; without one it is closed at once."""

    def __init__(self) -> None:
        self.target: Callable[[], Endpoint] | None = None
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._take, name="front door", daemon=True).start()

    def close(self) -> None:
        # A close alone wouldn't wake who waits in accept().
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if self.target is None:
                return
            with socket.create_connection(self.target(), timeout=10) as server:
                server.settimeout(None)
                other = {client: server, server: client}
                while True:
                    for source in select.select([client, server], [], [])[0]:
                        if not (octets := source.recv(ONE_READ)):
                            return
                        other[source].sendall(octets)
