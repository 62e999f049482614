"""BODY[…] of one message (RFC 3501 §6.4.5): small sections as octets, large ones as a range to stream."""

from dataclasses import dataclass
from typing import Protocol

from barid_protocols.imap.fetch import BodySection, Specifier
from barid_protocols.mime.headers import filter_fields
from barid_protocols.mime.sections import resolve

from .message_bytes import MAX_HEADER, WHOLE, MessageBytes


class NoSuchPart(Exception):
    """The message has no such part: NIL."""


class Message(Protocol):
    async def header(self) -> bytes | None:
        """The message's own header, if it is at hand whole."""

    async def bytes(self) -> MessageBytes:
        """Raises JournalError, BusError."""


@dataclass(frozen=True, slots=True)
class Range:
    """Octets to stream: too many to hold."""

    message: MessageBytes
    start: int
    end: int


_FILTERS = frozenset({Specifier.HEADER_FIELDS, Specifier.HEADER_FIELDS_NOT})


def needs_bytes(section: BodySection) -> bool:
    """False: the header of the message is enough, which the index has."""
    return bool(section.path) or (section.specifier is not Specifier.HEADER and section.specifier not in _FILTERS)


async def section_of(section: BodySection, message: Message) -> bytes | Range:
    """Cut to the asked window. Raises NoSuchPart, JournalError."""
    if not needs_bytes(section):
        header = await message.header()
        if header is not None:
            return _window(section, _filtered(section, header))
    source = await message.bytes()
    start, end = await _range_of(section, source)
    if section.specifier in _FILTERS:
        return _window(section, _filtered(section, await source.read(start, min(end, start + MAX_HEADER))))
    first, last = section.window(end - start)
    if last - first > WHOLE:
        return Range(source, start + first, start + last)
    return await source.read(start + first, start + last)


async def _range_of(section: BodySection, source: MessageBytes) -> tuple[int, int]:
    if not section.path and section.specifier is Specifier.WHOLE:
        return 0, source.size
    specifier = "HEADER" if section.specifier in _FILTERS else section.specifier.value.decode("ascii")
    found = resolve(await source.root(), section.path, specifier, prefix=source.prefix)
    if found is None:
        raise NoSuchPart
    return found


def _filtered(section: BodySection, header: bytes) -> bytes:
    if section.specifier not in _FILTERS:
        return header
    names = frozenset(name.lower() for name in section.fields)
    return filter_fields(header, names, exclude=section.specifier is Specifier.HEADER_FIELDS_NOT)


def _window(section: BodySection, data: bytes) -> bytes:
    start, stop = section.window(len(data))
    return data[start:stop]
