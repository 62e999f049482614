"""IMAP BODYSTRUCTURE (RFC 3501 §7.4.2) from the tree of parts, and BODY from BODYSTRUCTURE.

Only the extensible form is stored; BODY is hardly ever asked for and is cut from it (20 µs a part).
"""

import re
from functools import lru_cache

from barid_protocols.mime.content import ContentType, Parameters
from barid_protocols.mime.parts import Part
from barid_protocols.mime.quoting import nstring


def _parameters(parameters: Parameters) -> bytes:
    if not parameters:
        return b"NIL"
    return b"(%b)" % b" ".join([nstring(name) + b" " + nstring(value) for name, value in parameters])


@lru_cache(maxsize=256)
def _content(content: ContentType) -> bytes:
    return b"%b %b %b" % (nstring(content.maintype), nstring(content.subtype), _parameters(content.parameters))


@lru_cache(maxsize=64)
def _encoding(encoding: bytes) -> bytes:
    return nstring(encoding)


def _disposition(part: Part) -> bytes:
    if part.disposition is None:
        return b"NIL"
    kind, parameters = part.disposition
    return b"(%b %b)" % (nstring(kind), _parameters(parameters))


def _languages(part: Part) -> bytes:
    return b"(%b)" % b" ".join([nstring(tag) for tag in part.languages]) if part.languages else b"NIL"


def build_bodystructure(part: Part) -> bytes:
    """The extensible form, in parentheses. Depth is bounded by ``MAX_DEPTH``, so recursion is safe."""
    if part.is_multipart and part.children:
        return b"(%b %b %b %b %b %b)" % (
            b"".join([build_bodystructure(child) for child in part.children]),
            nstring(part.content.subtype),
            _parameters(part.content.parameters),
            _disposition(part),
            _languages(part),
            nstring(part.location),
        )
    own = b""
    if part.content.maintype == b"text":
        own = b" %d" % part.lines
    elif part.is_message and part.children:
        own = b" %b %b %d" % (part.envelope, build_bodystructure(part.children[0]), part.lines)
    return b"(%b %b %b %b %d%b %b %b %b %b)" % (
        _content(part.content),
        nstring(part.content_id),
        nstring(part.description),
        _encoding(part.encoding),
        part.end - part.body_start,
        own,
        nstring(part.md5),
        _disposition(part),
        _languages(part),
        nstring(part.location),
    )


_ITEM = re.compile(rb'[()]|"(?:[^"\\]++|\\.)*+"|\{([0-9]+)\}\r\n|[^\s()"{]++', re.DOTALL)


def body_from_bodystructure(bodystructure: bytes) -> bytes:
    """The non-extensible BODY of what ``build_bodystructure`` made. Raises ValueError on anything else."""
    return _cut(_read(bodystructure))


_Tree = bytes | list["_Tree"]


def _read(text: bytes) -> _Tree:
    stack: list[list[_Tree]] = [[]]
    position = 0
    while position < len(text):
        if text[position] == 0x20:
            position += 1
            continue
        match = _ITEM.match(text, position)
        if match is None:
            raise ValueError("not a body structure")
        item = match.group()
        position = match.end()
        if item == b"(":
            stack.append([])
        elif item == b")":
            if len(stack) < 2:
                raise ValueError("not a body structure")
            done = stack.pop()
            stack[-1].append(done)
        elif match[1] is not None:
            size = int(match[1])
            stack[-1].append(item + text[position : position + size])
            position += size
        else:
            stack[-1].append(item)
    if len(stack) != 1 or len(stack[0]) != 1:
        raise ValueError("not a body structure")
    return stack[0][0]


_TEXT_FIELDS = 8
_MESSAGE_FIELDS = 10
_BASIC_FIELDS = 7


def _cut(node: _Tree) -> bytes:
    if isinstance(node, bytes) or not node:
        raise ValueError("not a body structure")
    if isinstance(node[0], list):
        children = [child for child in node if isinstance(child, list)]
        # Children come first, side by side; the subtype is the first string after them.
        count = next((index for index, child in enumerate(node) if isinstance(child, bytes)), len(children))
        return b"(%b %b)" % (b"".join([_cut(child) for child in node[:count]]), _write(node[count]))
    kind = (node[0], node[1])
    if node[0] == b'"text"':
        return _write(node[:_TEXT_FIELDS])
    if kind == (b'"message"', b'"rfc822"'):
        fields = [_write(field) for field in node[:_MESSAGE_FIELDS]]
        fields[8] = _cut(node[8])
        return b"(%b)" % b" ".join(fields)
    return _write(node[:_BASIC_FIELDS])


def _write(node: _Tree) -> bytes:
    if isinstance(node, bytes):
        return node
    parts = [_write(item) for item in node]
    # Addresses stand side by side in their list (RFC 3501 §9, env-from); everything else is separated.
    between = b"" if node and isinstance(node[0], list) else b" "
    return b"(%b)" % between.join(parts)
