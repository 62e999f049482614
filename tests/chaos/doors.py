"""Where clients go in. Of replicas any, as behind a load balancer that does not know yet who has just died."""

import json
import random
from collections.abc import Callable
from typing import TypeVar

from barid_testing.mail_system import MailSystem

from .processes import is_alive

Client = TypeVar("Client")


class Doors:
    """Read anew at each question: starts change ports, and replicas come and go."""

    def __init__(self, system: MailSystem) -> None:
        self._system = system

    def enter(self, listener: str, connect: Callable[[str, int], Client]) -> Client:
        """A client connected to one of that name. Raises OSError while nothing runs."""
        running = json.loads((self._system.data / "running.json").read_text())
        addresses = [ports[listener] for ports in running["listeners"].values() if listener in ports]
        if not addresses:
            raise ConnectionError(f"nobody listens for {listener}")
        host, _, port = random.choice(addresses).rpartition(":")
        client = connect(host, int(port))
        # The supervisor keeps its ports for as long as it lives; what was let go may be another system's by now.
        if not is_alive(running["pids"]["barid"]):
            client.sock.close()  # type: ignore[attr-defined]
            raise ConnectionError("the system was killed")
        return client
