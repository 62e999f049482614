"""A mail that arrived, for tests to look into.

Whoever tests a form that mails what strangers type has strangers' bytes here, so nothing in this file raises over
them or takes quadratic time: text is read by Barid's own readers, and header values that the standard library takes
long or fails over are given as plain text.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import EmailPolicy
from functools import cached_property
from typing import Any

from barid_protocols.mime.charsets import decode_charset
from barid_protocols.mime.content import parse_disposition
from barid_protocols.mime.decode import decode_transfer, text_of
from barid_protocols.mime.headers import HeaderBlock
from barid_protocols.mime.sections import PartNode, from_compact, single_part
from barid_protocols.mime.summary import summarize
from barid_protocols.mime.words import decode_words

LONGEST_PARSED = 4_096
"""Characters of a header value that the standard library is given to parse: 0.1 s for the worst, and 13 s for 50 KB."""


@dataclass(frozen=True)
class Message:
    """A mail that arrived. where: `mailbox` (then `mailbox` and `uid` say where in it) or `captured`.

    raw: its bytes as a client would fetch them. content: the same, parsed. text, html: its bodies.
    """

    mail_id: str
    where: str
    address: str
    subject: str
    message_id: str
    size: int
    mailbox: str | None
    uid: int | None
    raw: bytes = field(repr=False)

    @cached_property
    def content(self) -> EmailMessage:
        """As the standard library has it; hundreds of parts within each other are too much for it (RecursionError)."""
        parsed = message_from_bytes(self.raw, policy=_TOLERANT)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @cached_property
    def text(self) -> str:
        """The plain body; where there is none, the words of the HTML one; "" without either."""
        node = self._body("text/plain") or self._body("text/html")
        return "" if node is None else text_of(self.raw[node.body_start : node.end], node).replace("\r\n", "\n")

    @cached_property
    def html(self) -> str:
        """The HTML body with its markup, "" if there is none."""
        node = self._body("text/html")
        if node is None:
            return ""
        octets = decode_transfer(self.raw[node.body_start : node.end], node.encoding)
        return decode_charset(octets, node.charset.encode("latin-1") or None).replace("\r\n", "\n")

    def _body(self, kind: str) -> PartNode | None:
        """The first part of this type that is no attachment."""
        summary = summarize(self.raw)
        size = len(self.raw)
        root = from_compact(summary.parts) if summary.parts else single_part(summary.body_start, size, self.raw)
        for node in _leaves(root):
            if node.type == kind:
                header = HeaderBlock(self.raw[node.header_start : node.body_start])
                disposition = parse_disposition(header.raw_value(b"content-disposition"))
                if disposition is None or disposition[0].lower() != b"attachment":
                    return node
        return None


def _leaves(root: PartNode) -> Iterator[PartNode]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.is_multipart:
            waiting.extend(reversed(node.children))
        else:
            yield node


class _Plain(str):
    """A header value as text, with what `EmailMessage` itself asks of its parsed values."""

    __slots__ = ()
    content_disposition = None
    defects = ()

    @property
    def params(self) -> dict[str, str]:
        return {}


class _Tolerant(EmailPolicy):
    """The default policy, but for values that it can't bear."""

    def header_fetch_parse(self, name: str, value: str) -> Any:
        if len(value) <= LONGEST_PARSED:
            try:
                return super().header_fetch_parse(name, value)
            except Exception:
                # It has more of them than it names; what follows is the answer.
                pass
        return _Plain(decode_words(value.encode("utf-8", "surrogateescape")))


_TOLERANT = _Tolerant()
