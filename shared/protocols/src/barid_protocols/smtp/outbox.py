"""Octets owed to the peer: replies, in order, until the host takes them."""

from barid_protocols.smtp.replies import Reply


class Outbox:
    """``earned`` counts octets since the host last had its turn, taken or not: whoever owns this sets it back."""

    __slots__ = ("_octets", "earned")

    def __init__(self) -> None:
        self._octets = bytearray()
        self.earned = 0

    def add(self, reply: Reply) -> None:
        encoded = reply.encoded
        self._octets += encoded
        self.earned += len(encoded)

    def take(self) -> bytes:
        """All of them, once."""
        octets = self._octets
        if not octets:
            return b""
        taken = bytes(octets)
        octets.clear()
        return taken
