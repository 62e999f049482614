"""A message as sections see it: what the index has of it first, its bytes when they are asked for."""

from ..views.summaries import Card, MailboxKey
from .desk import Desk
from .message_bytes import MessageBytes


class StoredMessage:
    """A message whose header or bytes are loaded when a section asks for them. Implements sections.Message."""

    def __init__(self, desk: Desk, mailbox: MailboxKey, uid: int, card: Card) -> None:
        self._desk = desk
        self._mailbox = mailbox
        self._uid = uid
        self._card = card
        self._bytes: MessageBytes | None = None

    async def header(self) -> bytes | None:
        """Of the message itself; None where only its bytes tell."""
        card = self._card
        return None if card.headers_cut or "headers" not in card.known else card.headers

    async def bytes(self) -> MessageBytes:
        if self._bytes is None:
            desk = self._desk
            if "body" not in self._card.known:
                cards = await desk.summaries.get(self._mailbox, [self._uid], [*self._card.known, "body"])
                self._card = cards.get(self._uid, self._card)
            self._bytes = MessageBytes(desk.bodies, self._card)
            desk.unreadable.check(self._card.mail_id)
        return self._bytes
