"""A foreign host that takes all mail and counts what it took."""

import socket
from collections import Counter

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as Server
from aiosmtpd.smtp import Envelope, Session

from .letters import number_of


class Sink:
    """got: (number, recipient) → how often. bodies: the last bytes of each number."""

    def __init__(self) -> None:
        self.got: Counter[tuple[int, str]] = Counter()
        self.bodies: dict[int, bytes] = {}
        with socket.create_server(("127.0.0.1", 0)) as probe:  # aiosmtpd's controller asks for a port by number
            self.port = int(probe.getsockname()[1])
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, data_size_limit=0)

    async def handle_DATA(self, server: Server, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        number = number_of(content)
        self.bodies[number] = content
        self.got.update((number, recipient) for recipient in envelope.rcpt_tos)
        return "250 taken"

    def __enter__(self) -> "Sink":
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()
