"""What a script may ask about the message without waiting: the host's side of a run."""

from collections.abc import Sequence
from typing import Protocol

from barid_protocols.sieve.addresses import Address, parse_path
from barid_protocols.sieve.headers import HeaderView


class Message(Protocol):
    """The answers must not change during a run. Header names come in lower case."""

    @property
    def size(self) -> int:
        """Octets of the whole message, as RFC 5228 §5.9 counts."""

    def header_values(self, name: str) -> Sequence[str]:
        """Decoded, unfolded values in order; empty when the header is absent."""

    def addresses(self, name: str) -> Sequence[Address]:
        """The addresses in all headers of that name."""

    def envelope(self, part: str) -> Address | None:
        """`from`, `to` or `auth`; None when there is none. The null reverse-path is Address("", "")."""


class MailMessage:
    """A Message over a header block and its envelope.

    `envelope_from` is empty for the null reverse-path. `envelope_auth` is the authenticated identity, if any.
    """

    __slots__ = ("_envelope", "headers", "size")

    def __init__(
        self,
        headers: HeaderView,
        *,
        size: int,
        envelope_from: str,
        envelope_to: str,
        envelope_auth: str | None = None,
    ) -> None:
        self.headers = headers
        self.size = size
        self._envelope = {"from": envelope_from, "to": envelope_to, "auth": envelope_auth}

    def header_values(self, name: str) -> Sequence[str]:
        return self.headers.header_values(name)

    def addresses(self, name: str) -> Sequence[Address]:
        return self.headers.addresses(name)

    def envelope(self, part: str) -> Address | None:
        path = self._envelope.get(part)
        return None if path is None else parse_path(path)
