"""The seam between a mechanism and the protocol that carries it."""

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

MAX_IDENTITY = 1024
"""Octets of an authorization or authentication identity: four times the longest address, and no more to hash."""

MAX_PASSWORD = 1024
"""Octets of a password. Argon2 hashes any length; a bound keeps a log-in from buying much of our CPU."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """Bytes for the client, not yet in base64; empty means "go on"."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who asks to act as whom; whether it is true is for the directory to say. ``authzid`` is empty if not given."""

    authzid: str
    authcid: str
    password: str = field(repr=False)


class ServerMechanism(Protocol):
    """One exchange, seen from the server.

    Call ``step(None)`` when the client gave no initial response, else ``step(initial response)``; then once for each
    response. It returns a ``Challenge`` until it has ``Credentials``, and raises ``SaslError`` on anything else. After
    either end it is spent: a further step raises.
    """

    name: ClassVar[str]

    def step(self, response: bytes | None) -> Challenge | Credentials: ...


class ClientMechanism(Protocol):
    """One exchange, seen from the client: ``initial()`` for SASL-IR (None: send none), then ``step(challenge)``."""

    name: ClassVar[str]

    def initial(self) -> bytes | None: ...

    def step(self, challenge: bytes) -> bytes: ...
