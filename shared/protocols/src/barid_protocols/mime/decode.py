"""The text in a message, for search and for body tests: tolerant, linear, bounded."""

import binascii
import html
import re
from collections.abc import Iterator

from barid_protocols.mime.charsets import decode_charset
from barid_protocols.mime.sections import PartNode

MAX_TEXT = 1024 * 1024
"""Octets (before decoding) of one message that are read for its text. Longer text is data, not writing."""

_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))


def decode_transfer(data: bytes, encoding: str) -> bytes:
    """Undo a Content-Transfer-Encoding. Foreign octets are passed over, what is incomplete is dropped."""
    if encoding == "base64":
        data = data.translate(None, _NOT_BASE64)
        # Four letters make three octets, a rest of two or three makes one or two, a rest of one makes nothing.
        if len(data) % 4 == 1:
            data = data[:-1]
        return binascii.a2b_base64(data + b"=" * (-len(data) % 4))
    if encoding == "quoted-printable":
        return binascii.a2b_qp(data)
    return data


# A tag never spans a "<", so that a text of nothing but "<" costs its length once.
_TAG = re.compile(r"<(/?[A-Za-z!][^<>\s/]*)[^<>]*+>")
_INLINE = frozenset({"a", "abbr", "b", "em", "font", "i", "small", "span", "strong", "sub", "sup", "u", "wbr"})
_HIDDEN = frozenset({"script", "style", "head", "title"})


def html_to_text(markup: str) -> str:
    """The words of an HTML text, for finding them; not a rendering, and not a sanitiser."""
    pieces = _TAG.split(markup)
    texts = [pieces[0]]
    hidden = ""
    for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
        tag = name.lower()
        if hidden:
            if tag == "/" + hidden:
                hidden = ""
            else:
                continue
        elif tag in _HIDDEN:
            hidden = tag
            continue
        if tag.lstrip("/") not in _INLINE:
            texts.append(" ")
        texts.append(text)
    return html.unescape("".join(texts))


def text_parts(root: PartNode) -> Iterator[PartNode]:
    """The text parts in order, those within attached messages too."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.children:
            waiting.extend(reversed(node.children))
        elif node.type.startswith("text/"):
            yield node


def text_of(data: bytes, node: PartNode) -> str:
    """The text of one part from the octets of its body, or their beginning."""
    text = decode_charset(decode_transfer(data, node.encoding), node.charset.encode("latin-1") or None)
    return html_to_text(text) if node.type == "text/html" else text
