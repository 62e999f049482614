"""What several tests of this folder need: the test material, and a reader of IMAP data that is not the writer."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

ImapData = bytes | None | list["ImapData"]

_STRING = re.compile(rb'"((?:[^"\\\r\n\x80-\xff]|\\["\\])*)"')
_ATOM = re.compile(rb"[A-Za-z0-9]+")


def _read(text: bytes) -> ImapData:
    """Strict RFC 3501: one space between items, none between nested lists of the same kind, 7 bit outside literals."""
    stack: list[list[ImapData]] = [[]]
    position = 0
    while position < len(text):
        octet = text[position : position + 1]
        if octet == b"(":
            stack.append([])
            position += 1
        elif octet == b")":
            done = stack.pop()
            stack[-1].append(done)
            position += 1
        elif octet == b" ":
            assert text[position + 1 : position + 2] not in (b" ", b")", b""), "stray space"
            position += 1
        elif octet == b'"':
            match = _STRING.match(text, position)
            assert match, text[position : position + 40]
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", match[1]))
            position = match.end()
        elif octet == b"{":
            size, _, _ = text[position + 1 :].partition(b"}\r\n")
            start = position + len(size) + 4
            literal = text[start : start + int(size)]
            assert len(literal) == int(size)
            assert b"\0" not in literal
            stack[-1].append(literal)
            position = start + int(size)
        else:
            match = _ATOM.match(text, position)
            assert match, text[position : position + 40]
            stack[-1].append(None if match.group() == b"NIL" else match.group())
            position = match.end()
    assert len(stack) == 1, "unbalanced"
    assert len(stack[0]) == 1
    return stack[0][0]


@pytest.fixture(scope="session")
def read_imap() -> Callable[[bytes], ImapData]:
    return _read


def _corpora() -> Path | None:
    if named := os.environ.get("BARID_CORPORA"):
        return Path(named)
    root = next((folder for folder in Path(__file__).parents if (folder / "Makefile").exists()), None)
    return root.parent / "shared" / "corpora" if root else None


@pytest.fixture(scope="session")
def eml_folder() -> Path:
    """Real and malformed messages with the parse expected of them."""
    corpora = _corpora()
    if corpora is None or not (corpora / "eml").is_dir():
        pytest.skip("no corpora: set BARID_CORPORA to a folder that holds eml/")
    return corpora / "eml"
