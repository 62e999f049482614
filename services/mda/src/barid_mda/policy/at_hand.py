"""A mail that is being delivered, with what was read of it so far, shared by its recipients."""

from barid_contracts.mail import Accepted
from barid_protocols.sieve import HeaderView


class MailAtHand:
    """Headers are parsed when somebody asks: most accounts have no script."""

    __slots__ = ("_delivered_to", "_headers", "mail")

    def __init__(self, mail: Accepted) -> None:
        self.mail = mail
        self._headers: HeaderView | None = None
        self._delivered_to: frozenset[str] | None = None

    @property
    def headers(self) -> HeaderView:
        """Of the mail as it is delivered, our Received field first."""
        if self._headers is None:
            self._headers = HeaderView(self.header_block)
        return self._headers

    @property
    def header_block(self) -> bytes:
        return (self.mail.trace + self.mail.headers).encode("latin-1", "replace")

    @property
    def size(self) -> int:
        """Octets, with our Received field."""
        return len(self.mail.trace) + self.mail.size

    def was_delivered_to(self, address: str) -> bool:
        """Some Delivered-To field says so."""
        delivered_to = self._delivered_to
        if delivered_to is None:
            # The cheap look first: 0.5 µs, and nearly no mail has the field.
            if "delivered-to" in self.mail.headers.lower():
                values = self.headers.header_values("delivered-to")
                delivered_to = frozenset([value.strip(" <>").lower() for value in values])
            else:
                delivered_to = frozenset()
            self._delivered_to = delivered_to
        return bool(delivered_to) and address.lower() in delivered_to
