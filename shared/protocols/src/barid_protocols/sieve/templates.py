"""Strings of the script as they are at run time: encoded characters (RFC 5228 §2.4.2.4) and variables (RFC 5229 §3).

Encoded characters are replaced when the script is compiled, before variables are looked for, so a name may be spelt
with them. Values of variables are never expanded again.
"""

import re
from collections.abc import Sequence

from barid_protocols.sieve.errors import SieveRuntimeError
from barid_protocols.sieve.limits import EXPANSION_SHIFT, MAX_MATCH_VARIABLE, MAX_STRING_LENGTH
from barid_protocols.sieve.machine import Run

_ENCODED = re.compile(
    r"\$\{(hex|unicode):([ \t\r\n]*[0-9a-f]++(?:[ \t\r\n]++[0-9a-f]++)*+[ \t\r\n]*+)\}", re.IGNORECASE
)
_REFERENCE = re.compile(r"\$\{(?:([0-9]+)|([a-z_][a-z0-9_]*+(?:\.[a-z0-9_]++)*+))\}", re.IGNORECASE | re.ASCII)


class Template:
    """Pairs of literal text and what follows it: a name, the number of a match variable, or nothing (`_NONE`)."""

    __slots__ = ("_line", "_pieces")

    def __init__(self, pieces: Sequence[tuple[str, str | int]], line: int) -> None:
        self._pieces = pieces
        self._line = line

    def expand(self, run: Run) -> str:
        variables, captures = run.variables, run.captures
        parts: list[str] = []
        length = 0
        for literal, reference in self._pieces:
            if isinstance(reference, str):
                value = variables.get(reference, "")
            else:
                value = captures[reference] if 0 <= reference < len(captures) else ""
            length += len(literal) + len(value)
            if length > MAX_STRING_LENGTH:
                raise SieveRuntimeError(f"a string grows beyond {MAX_STRING_LENGTH} characters", self._line)
            parts.append(literal)
            parts.append(value)
        run.fuel -= len(self._pieces) + (length >> EXPANSION_SHIFT)
        if run.fuel < 0:
            raise run.exhausted()
        return "".join(parts)


Text = str | Template

_NONE = -1  # the reference of a piece that is only a literal


def expand(run: Run, text: Text) -> str:
    return text if isinstance(text, str) else text.expand(run)


def expand_all(run: Run, texts: Sequence[Text]) -> list[str]:
    return [text if isinstance(text, str) else text.expand(run) for text in texts]


def constants(texts: Sequence[Text]) -> tuple[str, ...] | None:
    """The strings, if none of them depends on the run."""
    found = tuple(text for text in texts if isinstance(text, str))
    return found if len(found) == len(texts) else None


def decode_characters(text: str) -> str:
    """Replaces `${hex:…}` and `${unicode:…}`. Raises ValueError with safe text; what is not of that form stays."""
    octets = bytearray()
    end = 0
    for match in _ENCODED.finditer(text):
        octets += text[end : match.start()].encode("utf-8")
        octets += _encoded(match) or match[0].encode()
        end = match.end()
    octets += text[end:].encode("utf-8")
    try:
        decoded = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("encoded characters do not give UTF-8") from None
    if "\0" in decoded:
        raise ValueError("an encoded character gives NUL")
    return decoded


def _encoded(match: re.Match[str]) -> bytes | None:
    words = match[2].split()
    if match[1].lower() == "hex":
        # Three digits or more are not of the form of §2.4.2.4: not an error, just text.
        return bytes(int(word, 16) for word in words) if all(len(word) <= 2 for word in words) else None
    characters: list[str] = []
    for word in words:
        digits = word.lstrip("0")
        code = int(digits or "0", 16) if len(digits) <= 6 else 0x110000
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise ValueError("an encoded character is no Unicode character")
        characters.append(chr(code))
    return "".join(characters).encode()


def parse_references(text: str, line: int) -> Text:
    """`text` as a Template if it refers to variables, else itself. Raises ValueError with safe text."""
    if "${" not in text:
        return text
    pieces: list[tuple[str, str | int]] = []
    end = 0
    for match in _REFERENCE.finditer(text):
        number, name = match.groups()
        reference: str | int
        if number is not None:
            digits = number.lstrip("0") or "0"
            if len(digits) > len(str(MAX_MATCH_VARIABLE)) or int(digits) > MAX_MATCH_VARIABLE:
                raise ValueError(f"match variables go up to ${{{MAX_MATCH_VARIABLE}}}")
            reference = int(digits)
        elif "." in name:
            raise ValueError("no extension with this namespace of variables is required")
        else:
            reference = name.lower()
        pieces.append((text[end : match.start()], reference))
        end = match.end()
    if not pieces:
        return text
    if end < len(text):
        pieces.append((text[end:], _NONE))
    return Template(pieces, line)
