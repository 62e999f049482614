"""One line of FETCH data in the making (RFC 3501 §7.4.2)."""

from typing import TYPE_CHECKING

from barid_protocols.imap import fetch_responses

if TYPE_CHECKING:
    from .imap_session import ImapSession


class FetchLine:
    """One FETCH in the making. Unless a part of it is streamed it goes behind the `lines` that wait to be written."""

    def __init__(
        self, session: "ImapSession", number: int, word: bytes, parts: list[bytes], lines: list[bytes]
    ) -> None:
        self._session = session
        self._number = number
        self._word = word
        self._parts = parts
        self._lines = lines
        self._begun = False

    def add(self, part: bytes) -> None:
        self._parts.append(part)

    def promise(self, start: bytes) -> None:
        """`start` announces octets, which the caller writes next."""
        self._parts.append(start)
        self._session.write(*self._lines, self._written())
        self._lines.clear()
        self._parts = []
        self._begun = True

    def end(self) -> int:
        """The octets that wait to be written because of it."""
        line = self._written() + fetch_responses.FETCH_END
        self._lines.append(line)
        return len(line)

    def _written(self) -> bytes:
        if self._begun:
            return b"".join([b" " + part for part in self._parts])
        return fetch_responses.fetch_start(self._number, self._parts, self._word)
