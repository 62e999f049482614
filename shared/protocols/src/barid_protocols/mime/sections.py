"""IMAP sections (RFC 3501 §6.4.5) as ranges of octets, from a compact form of the part tree.

The compact form is what events and rows carry: nested lists that JSON can hold. A message of one part has none; its
tree is ``single_part`` of two numbers that every row has.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from barid_protocols.mime.content import TEXT_PLAIN
from barid_protocols.mime.headers import HeaderBlock
from barid_protocols.mime.parts import Part


class Range(NamedTuple):
    """Octets ``[start, end)`` of the message."""

    start: int
    end: int


@dataclass(slots=True)
class PartNode:
    """What serving and searching need of a part; ``type`` in lower case, as ``text/plain``."""

    header_start: int
    body_start: int
    end: int
    type: str = "text/plain"
    encoding: str = "7bit"
    charset: str = ""
    children: list["PartNode"] = field(default_factory=list)

    @property
    def is_message(self) -> bool:
        return self.type == "message/rfc822" and bool(self.children)

    @property
    def is_multipart(self) -> bool:
        return self.type.startswith("multipart/") and bool(self.children)


Compact = list[Any]
"""``[header_start, body_start, end, type, encoding, charset, children]``, without trailing defaults."""


def to_compact(part: Part) -> Compact:
    maintype, subtype, _ = part.content
    charset = part.content.parameter(b"charset") or b""
    row: Compact = [
        part.header_start,
        part.body_start,
        part.end,
        (maintype + b"/" + subtype).decode("latin-1"),
        part.encoding.decode("latin-1"),
        charset.decode("latin-1"),
        [to_compact(child) for child in part.children],
    ]
    defaults: tuple[Any, ...] = (None, None, None, "text/plain", "7bit", "", [])
    while len(row) > 3 and row[-1] == defaults[len(row) - 1]:
        row.pop()
    return row


def from_compact(row: Compact) -> PartNode:
    """Raises ValueError if ``row`` is not what ``to_compact`` made."""
    if not isinstance(row, list) or not 3 <= len(row) <= 7:
        raise ValueError("not a compact part tree")
    node = PartNode(*row[:6])
    if len(row) == 7:
        node.children = [from_compact(child) for child in row[6]]
    return node


def single_part(body_start: int, size: int, header: bytes | None = None) -> PartNode:
    """The tree of a message without parts. Its type, encoding and charset are taken from ``header``, if given."""
    if header is None:
        return PartNode(0, body_start, size)
    part = Part(0, body_start, size)
    part.describe(HeaderBlock(header), TEXT_PLAIN)
    return from_compact(to_compact(part))


def find_part(root: PartNode, path: tuple[int, ...]) -> PartNode | None:
    """The part that a section's numbers name. For a message/rfc822 part that is the part, not the message in it."""
    node = root
    container: PartNode | None = root
    for number in path:
        if container is None:
            return None
        if container.is_multipart:
            if not 1 <= number <= len(container.children):
                return None
            node = container.children[number - 1]
        elif number == 1:
            # Every message has a part 1 (RFC 3501 §6.4.5): its body, if it is no multipart.
            node = container
        else:
            return None
        if node.is_message:
            container = node.children[0]
        else:
            container = node if node.is_multipart else None
    return node


def resolve(root: PartNode, path: tuple[int, ...], specifier: str = "", *, prefix: int = 0) -> Range | None:
    """The range of a section; None if the message has no such part.

    ``specifier`` is ``""``, ``HEADER``, ``TEXT`` or ``MIME`` (HEADER.FIELDS is a filter over HEADER). ``prefix`` is
    the length of the trace fields that are served before the stored octets: the ranges count them, and the message's
    own header begins with them.
    """
    if not path:
        return _of_message(root, 0, prefix, specifier)
    node = find_part(root, path)
    if node is None:
        return None
    if specifier == "":
        return Range(node.body_start + prefix, node.end + prefix)
    if specifier == "MIME":
        return Range(node.header_start + prefix if node is not root else 0, node.body_start + prefix)
    if not node.is_message:
        return None
    return _of_message(node.children[0], node.body_start + prefix, prefix, specifier)


def _of_message(root: PartNode, start: int, prefix: int, specifier: str) -> Range | None:
    if specifier == "":
        return Range(start, root.end + prefix)
    if specifier == "HEADER":
        return Range(start, root.body_start + prefix)
    return Range(root.body_start + prefix, root.end + prefix) if specifier == "TEXT" else None
