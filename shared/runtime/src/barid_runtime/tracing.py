"""Traces: one for each mail, from the door to the mailbox, over the bus and through the journal. Off unless an operator
names a receiver (`BARID_OTLP_ENDPOINT`); off, a step costs one look whether `door` is None.

A mail's trace id *is* its mail_id (both are 128 bits), and the span of its acceptance has an id that follows from it.
So every service knows to which trace a mail belongs, whatever was batched, journalled, lost and published again in
between, and a step whose cause is not at hand hangs below the acceptance. Where the cause is at hand it travels in the
header `traceparent` (W3C Trace Context), one value for each traced mail of a batch, comma-separated.

Whether a mail is traced follows from its id, too, so that all services agree (`BARID_TRACE_RATIO`).
Attributes never hold an address, nor anything else of a mail's content.
"""

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from hashlib import blake2b
from typing import Protocol

from .ids import ALPHABET

HEADER = "traceparent"

PARENTS_MOST = 500
"""Values in one header, 56 octets each: JetStream takes 64 KiB of headers. Steps of those left out hang below their
mail's acceptance."""

Attributes = Mapping[str, str | int | bool]

_TRACE_BITS = 128
_RATIO_BITS = 56
_LENGTH = 26
_DIGITS = str.maketrans(ALPHABET, "0123456789abcdefghijklmnopqrstuv")
"""To those of Python's base 32."""


class Step(Protocol):
    """A span that has begun."""

    @property
    def traceparent(self) -> str:
        """For the header of what it causes."""

    def end(self, **attributes: str | int | bool) -> None:
        """Now."""


class Door(Protocol):
    def begin(
        self,
        service: str,
        name: str,
        mail_id: str,
        *,
        parent: str = "",
        own: str = "",
        began: int = 0,
        link: str | None = None,
    ) -> Step | None:
        """A step of that mail; None if it isn't traced. parent: span id, in hex; empty: the mail's acceptance. own: the
        span's id, where others must know it; empty: any. began: ns since the epoch; 0 is now. link: another mail, that
        this one comes of."""

    def close(self) -> None:
        """Send what waits; blocks for some seconds at most."""


door: Door | None = None
"""Chosen once, at the start of a process (trace_export.py)."""

incoming: ContextVar[str] = ContextVar("traceparent", default="")
"""The header of the request or event in whose handler we are."""


def trace_of(mail_id: str) -> int:
    """The trace's id."""
    return int(mail_id.translate(_DIGITS), 32) & ((1 << _TRACE_BITS) - 1)


def mail_of(trace: int) -> str:
    """The other way round."""
    return "".join([ALPHABET[trace >> 5 * place & 31] for place in range(_LENGTH - 1, -1, -1)])


def step_of(mail_id: str, name: str) -> str:
    """The id of a step that happens once in a mail's life."""
    return blake2b(f"{mail_id} {name}".encode(), digest_size=8).hexdigest()


def acceptance_of(mail_id: str) -> str:
    """The id of the first step of all."""
    return step_of(mail_id, "acceptance")


def is_traced(trace: int, ratio: float) -> bool:
    """By its random part, the same everywhere (as W3C Trace Context level 2 has it)."""
    return trace & ((1 << _RATIO_BITS) - 1) < ratio * (1 << _RATIO_BITS)


def header_of(steps: Iterable[Step | None]) -> str:
    """Empty if none is traced."""
    found = [step.traceparent for step in steps if step is not None]
    return ",".join(found[:PARENTS_MOST])


class Parents:
    """The spans that a header names, by trace; each is given once, in order."""

    def __init__(self, *headers: str) -> None:
        self._spans: dict[int, list[str]] = {}
        for header in headers:
            for value in header.split(",") if header else ():
                parts = value.strip().split("-")
                if len(parts) == 4 and len(parts[1]) == 32 and len(parts[2]) == 16 and _is_hex(parts[1] + parts[2]):
                    self._spans.setdefault(int(parts[1], 16), []).append(parts[2])

    def take(self, mail_id: str) -> str:
        """The span that caused this step of the mail; empty if it is not named. The last one is given again."""
        spans = self._spans.get(trace_of(mail_id))
        if not spans:
            return ""
        return spans.pop(0) if len(spans) > 1 else spans[0]

    def mails(self) -> list[tuple[str, str]]:
        """Each mail with its span."""
        return [(mail_of(trace), spans[0]) for trace, spans in self._spans.items()]


def _is_hex(text: str) -> bool:
    return all(character in "0123456789abcdef" for character in text)
