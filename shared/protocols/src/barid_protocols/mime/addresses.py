"""RFC 5322 address lists (§3.4, and the obsolete forms of §4.4), for ENVELOPE and for sender checks.

Never raises and is linear in its input: what is no address comes out as the nearest thing to one.
"""

import re
from typing import NamedTuple

from barid_protocols.mime.headers import unfold
from barid_protocols.mime.limits import MAX_ADDRESS_TOKENS, MAX_ADDRESSES


class Address(NamedTuple):
    """One mailbox, without quoting. A group is ``(None, None, its name, None)``, its members, ``GROUP_END``.

    ``domain`` is empty, not None, for a mailbox that has none.
    """

    name: bytes | None
    route: bytes | None
    local: bytes | None
    domain: bytes | None

    @property
    def is_mailbox(self) -> bool:
        return self.domain is not None

    @property
    def address(self) -> bytes:
        """``local@domain``, or ``local`` where there is no domain; empty for what marks a group."""
        if self.local is None or self.domain is None:
            return b""
        return self.local + b"@" + self.domain if self.domain else self.local


GROUP_END = Address(None, None, None, None)

_ATEXT = rb"A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff-"
# What nearly all mail has: Name <a@b>, "Name" <a@b>, a@b, <a@b>. One match an address, no backtracking.
_COMMON = re.compile(
    rb"[ \t\r\n]*+(?:"
    rb'(?:"([^"\\\r\n\0]*+)"|([' + _ATEXT + rb". ]*+))[ \t\r\n]*+<([" + _ATEXT + rb".]++)@([A-Za-z0-9.\x80-\xff-]++)>"
    rb"|([" + _ATEXT + rb".]++)@([A-Za-z0-9.\x80-\xff-]++)"
    rb")[ \t\r\n]*+(?:,|\Z)"
)
_match_common = _COMMON.match

# Unterminated quotes and literals run to the end: looking for an end again at every quote would be quadratic.
_TOKEN = re.compile(
    rb'(?P<space>[ \t\r\n]++)|"(?P<quoted>(?:[^"\\]++|\\.)*+)(?:"|\\?\Z)|(?P<literal>\[[^\]]*+\]?)'
    rb"|(?P<special>[<>@,:;(])|(?P<atom>[^ \t\r\n\"\[<>@,:;(]++)",
    re.DOTALL,
)
_COMMENT_STEP = re.compile(rb"[^()\\]++|\\.|[()\\]", re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)


def parse_addresses(value: bytes, limit: int = MAX_ADDRESSES) -> list[Address]:
    """The first ``limit`` addresses of a raw field value, groups as IMAP wants them. 1.5 µs a common address."""
    found: list[Address] = []
    position, end = 0, len(value)
    while position < end and len(found) < limit:
        match = _match_common(value, position)
        if match is None:
            found += _Parser(value, position).addresses(limit - len(found))
            break
        quoted, phrase, local, domain, bare_local, bare_domain = match.groups()
        if local is None:
            found.append(Address(None, None, bare_local, bare_domain))
        else:
            found.append(Address(quoted or (phrase and phrase.strip()) or None, None, local, domain))
        position = match.end()
    return found


def mailboxes(value: bytes) -> list[Address]:
    """As ``parse_addresses``, without what marks groups."""
    return [address for address in parse_addresses(value) if address.domain is not None]


_Token = tuple[str, bytes]


class _Parser:
    """The general grammar: cut into tokens, cut those at commas, read each piece."""

    __slots__ = ("_found", "_has_at", "_in_angle", "_in_group", "_piece", "_position", "_value")

    def __init__(self, value: bytes, position: int) -> None:
        self._value = value
        self._position = position
        self._found: list[Address] = []
        self._piece: list[_Token] = []
        self._in_angle = False
        self._in_group = False
        self._has_at = False

    def addresses(self, limit: int) -> list[Address]:
        value, end = self._value, len(self._value)
        for _ in range(MAX_ADDRESS_TOKENS):
            if self._position >= end or len(self._found) >= limit:
                break
            match = _TOKEN.match(value, self._position)
            if match is None:  # every octet begins some token
                break
            kind = match.lastgroup or ""
            self._position = match.end()
            if kind == "special":
                self._special(match.group())
            elif kind == "quoted":
                content = match["quoted"]
                self._piece.append(("quoted", unfold(_ESCAPE.sub(rb"\1", content) if b"\\" in content else content)))
            else:
                self._piece.append((kind, match.group()))
        self._flush()
        if self._in_group:
            self._found.append(GROUP_END)
        return self._found

    def _special(self, sign: bytes) -> None:
        if sign == b"(":
            self._piece.append(("comment", self._comment()))
        elif sign == b"<":
            self._in_angle = True
            self._piece.append(("sign", sign))
        elif sign == b">":
            self._in_angle = False
            self._piece.append(("sign", sign))
        elif self._in_angle or sign == b"@":
            self._has_at = True
            self._piece.append(("sign", sign))
        elif sign == b",":
            self._flush()
        elif sign == b";":
            self._flush()
            if self._in_group:
                self._found.append(GROUP_END)
                self._in_group = False
        elif self._in_group or self._has_at:
            self._piece.append(("sign", sign))
        else:
            name = _phrase(self._piece)
            self._piece = []
            self._found.append(Address(None, None, name, None))
            self._in_group = True

    def _comment(self) -> bytes:
        """The text of a comment whose parenthesis was just read, to its end or the end of all."""
        depth, start = 1, self._position
        for step in _COMMENT_STEP.finditer(self._value, start):
            sign = step.group()
            if sign == b"(":
                depth += 1
            elif sign == b")":
                depth -= 1
                if not depth:
                    self._position = step.end()
                    return unfold(_ESCAPE.sub(rb"\1", self._value[start : step.start()]))
        self._position = len(self._value)
        return unfold(self._value[start:])

    def _flush(self) -> None:
        piece, self._piece, self._in_angle, self._has_at = self._piece, [], False, False
        if any(kind != "space" for kind, _ in piece):
            address = _read_mailbox(piece)
            if address is not None:
                self._found.append(address)


def _read_mailbox(piece: list[_Token]) -> Address | None:
    try:
        opening = piece.index(("sign", b"<"))
    except ValueError:
        return _read_bare(piece)
    name = _phrase(piece[:opening]) or None
    inner = piece[opening + 1 :]
    try:
        inner = inner[: inner.index(("sign", b">"))]
    except ValueError:
        pass
    route = None
    if ("sign", b":") in inner:
        # Source route (RFC 5322 §4.4): @a,@b:local@domain. Cut at the last colon.
        colon = len(inner) - 1 - inner[::-1].index(("sign", b":"))
        route = _joined(inner[:colon]) or None
        inner = inner[colon + 1 :]
    local, domain = _split_at(inner)
    if name is None:
        name = next((text for kind, text in piece if kind == "comment" and text), None)
    return Address(name, route, local, domain)


def _read_bare(piece: list[_Token]) -> Address | None:
    comment = next((text for kind, text in piece if kind == "comment" and text), None)
    if ("sign", b"@") in piece:
        local, domain = _split_at(piece)
        return Address(comment, None, local, domain)
    text = _phrase(piece)
    if not text:
        return None
    # Words without an address: as a mailbox without domain, so that the reader sees what was written.
    return Address(comment, None, text, b"")


def _split_at(piece: list[_Token]) -> tuple[bytes, bytes]:
    try:
        at = len(piece) - 1 - piece[::-1].index(("sign", b"@"))
    except ValueError:
        return _joined(piece), b""
    return _joined(piece[:at]), _joined(piece[at + 1 :])


def _joined(piece: list[_Token]) -> bytes:
    return b"".join(text for kind, text in piece if kind not in ("space", "comment")).replace(b"\0", b"")


def _phrase(piece: list[_Token]) -> bytes:
    # An empty token between words stands for white space of any length, or for none.
    texts = [b" " if kind == "space" else text for kind, text in piece if kind != "comment"]
    return b"".join(texts).strip().replace(b"\0", b"")
