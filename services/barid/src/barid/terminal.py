"""Strangers' words on a terminal: they may not move its cursor, change its colours, or turn the line around.

What is taken out: controls (C0, DEL, C1; line end and tab aside), what overrides the direction of writing, separators
that some terminals break lines at, tags and lone surrogates, which nobody sees. What only joins, spaces or marks a
direction stays: languages and emoji need it.
"""

import json
import re

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u206f\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_LINE_ENDS = re.compile(r"\r\n?|[\n\t]")


def printable(text: str) -> str:
    """Lines of text; what a terminal must not get is shown as U+FFFD."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def printable_line(text: str) -> str:
    """The same as one line: nobody's subject makes a line that looks like ours."""
    return printable(_LINE_ENDS.sub(" ", text))


def printable_json(value: object, *, indent: int | None = 2) -> str:
    """JSON whose meaning is whole, and that is safe to look at."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _UNSAFE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    """Only strings of JSON can hold such a character. As UTF-16, by RFC 8259 §7."""
    return json.dumps(match[0])[1:-1]
