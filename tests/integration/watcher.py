"""An IMAP client that believes nothing: it keeps a mailbox as the untagged responses say it is, and fails at the first
one that RFC 3501 (or, if it is to enable QRESYNC, RFC 7162) doesn't allow or that contradicts what was said before."""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from barid_testing.mail_system import Account, Endpoint

TIMEOUT = 60.0
"""Seconds for a command: a service may have to be started again meanwhile."""

_FETCH = re.compile(rb"\* (\d+) FETCH \((.*)\)")
_UID = re.compile(rb"\bUID (\d+)")
_FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)")
_MODSEQ = re.compile(rb"\bMODSEQ \((\d+)\)")
_VANISHED = re.compile(rb"\* VANISHED ([0-9:,]+)")
_CODE_UIDS = re.compile(rb"\[(?:APPENDUID|COPYUID) \d+ (?:\S+ )?([0-9:,]+)\]")

NUMBERED = (b"FETCH", b"STORE", b"SEARCH")
"""Commands that use message numbers: while one is in progress no EXPUNGE may be sent (§7.4.1)."""


@dataclass
class Seen:
    uid: int = 0
    flags: frozenset[str] | None = None
    modseq: int = 0


@dataclass
class Refused(Exception):
    """NO, BAD, or BYE."""

    line: str


@dataclass
class Watcher:
    """messages: the mailbox, as told. gone: UIDs that were told to be expunged."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    name: str
    qresync: bool = False
    messages: list[Seen] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    told: int = 0
    _tag: int = 0
    _command: bytes = b""

    @classmethod
    async def connect(cls, at: Endpoint, account: Account, name: str, *, qresync: bool = False) -> "Watcher":
        """qresync: it hears VANISHED where others hear EXPUNGE."""
        reader, writer = await asyncio.open_connection(*at)
        watcher = cls(reader, writer, name, qresync)
        await reader.readline()
        await watcher.do(f"LOGIN {account.login} {account.password}")
        if qresync:
            await watcher.do("ENABLE QRESYNC")
        return watcher

    async def select(self, mailbox: str = "INBOX") -> None:
        """With CONDSTORE, and every UID and its flags fetched."""
        self.messages.clear()
        await self.do(f"SELECT {mailbox} (CONDSTORE)")
        if self.messages:
            await self.do("FETCH 1:* (UID FLAGS MODSEQ)")

    async def do(self, command: str, literal: bytes | None = None) -> list[str]:
        """Untagged lines and, last, the tagged one. Raises Refused, and AssertionError for what no server may say."""
        async with asyncio.timeout(TIMEOUT):
            self._tag += 1
            tag = f"{self.name}{self._tag}".encode()
            self._command = command.encode()
            self.writer.write(b"%b %b" % (tag, self._command))
            if literal is not None:
                self.writer.write(b" {%d}\r\n" % len(literal))
                line = await self._line()
                while not line.startswith(b"+"):
                    self._hear(line)
                    line = await self._line()
                self.writer.write(literal)
            self.writer.write(b"\r\n")
            lines = []
            while not (line := await self._line()).startswith(tag + b" "):
                self._hear(line)
                lines.append(line.decode())
            self._command = b""
            lines.append(line.decode())
            if line.split(b" ")[1] != b"OK":
                raise Refused(line.decode())
            return lines

    async def append(self, message: bytes) -> int:
        """Its UID."""
        return uids_of((await self.do("APPEND INBOX", message))[-1])[0]

    async def settle(self) -> None:
        """Learn what is not known yet, so that `view` is whole."""
        await self.do("NOOP")
        if any(not each.uid or each.flags is None for each in self.messages):
            await self.do("FETCH 1:* (UID FLAGS MODSEQ)")

    def know_silently(self, uids: Iterable[int], flag: str, on: bool) -> None:
        """Of one's own STORE with .SILENT, whose outcome the server need not tell (RFC 3501 §6.4.6)."""
        for each in self.messages:
            if each.uid in uids and each.flags is not None:
                each.flags = each.flags | {flag} if on else each.flags - {flag}

    def view(self) -> dict[int, frozenset[str]]:
        """Of each message its flags, but for \\Recent, which belongs to one session."""
        return {each.uid: (each.flags or frozenset()) - {"\\Recent"} for each in self.messages}

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()

    async def _line(self) -> bytes:
        line = await self.reader.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError(f"{self.name}: the connection ended within {line!r}")
        if line.startswith(b"* BYE"):
            raise Refused(line.decode())
        return line[:-2]

    def _hear(self, line: bytes) -> None:
        self.told += 1
        if line.startswith(b"* VANISHED"):
            self._vanished(line)
        words = line.split(b" ", 3)
        if len(words) < 3 or not words[1].isdigit():
            return
        number, kind = int(words[1]), words[2]
        if kind == b"EXISTS":
            assert number >= len(self.messages), f"{self.name}: {line!r}, though {len(self.messages)} are there"
            self.messages += [Seen() for _ in range(number - len(self.messages))]
        elif kind == b"EXPUNGE":
            assert not self.qresync, f"{self.name}: {line!r} after ENABLE QRESYNC"
            assert 1 <= number <= len(self.messages), f"{self.name}: {line!r} of {len(self.messages)}"
            assert not self._command.startswith(NUMBERED), f"{self.name}: {line!r} during {self._command!r}"
            self.gone.add(self.messages.pop(number - 1).uid)
        elif kind == b"FETCH":
            self._fetched(line)

    def _vanished(self, line: bytes) -> None:
        """RFC 7162 §3.2.10.2: of messages that were told of, each once."""
        match = _VANISHED.fullmatch(line)
        assert match and self.qresync, f"{self.name}: {line!r}"
        assert not self._command.startswith(NUMBERED), f"{self.name}: {line!r} during {self._command!r}"
        for uid in set_of(match[1]):
            assert uid not in self.gone, f"{self.name}: {line!r} again"
            self.gone.add(uid)
            del self.messages[self._place(uid, line)]

    def _place(self, uid: int, line: bytes) -> int:
        """Where it is, or one of those of which only the number was told, and that it may be."""
        for index, seen in enumerate(self.messages):
            if seen.uid == uid:
                return index
        below = max((index for index, seen in enumerate(self.messages) if 0 < seen.uid < uid), default=-1)
        above = min((index for index, seen in enumerate(self.messages) if seen.uid > uid), default=len(self.messages))
        assert below + 1 < above, f"{self.name}: {line!r} was never told of"
        return below + 1

    def _fetched(self, line: bytes) -> None:
        match = _FETCH.fullmatch(line)
        assert match, line
        number, items = int(match[1]), match[2]
        assert 1 <= number <= len(self.messages), f"{self.name}: {line!r} of {len(self.messages)}"
        seen = self.messages[number - 1]
        if uid := _UID.search(items):
            self._numbered(number, int(uid[1]), line)
        if modseq := _MODSEQ.search(items):
            assert int(modseq[1]) >= seen.modseq, f"{self.name}: {line!r} after MODSEQ {seen.modseq}"
            seen.modseq = int(modseq[1])
        if flags := _FLAGS.search(items):
            seen.flags = frozenset(flags[1].decode().split())

    def _numbered(self, number: int, uid: int, line: bytes) -> None:
        """UIDs ascend, one stays with its message, and none comes back (§2.3.1.1)."""
        seen = self.messages[number - 1]
        assert seen.uid in (0, uid), f"{self.name}: {line!r} was UID {seen.uid}"
        assert uid not in self.gone, f"{self.name}: {line!r} was expunged"
        before = max((each.uid for each in self.messages[: number - 1]), default=0)
        after = min((each.uid for each in self.messages[number:] if each.uid), default=uid + 1)
        assert before < uid < after, f"{self.name}: {line!r} between UIDs {before} and {after}"
        seen.uid = uid


def uids_of(line: str) -> list[int]:
    """Of the response code APPENDUID or COPYUID; of the latter those of the copies."""
    match = _CODE_UIDS.search(line.encode())
    assert match, line
    return set_of(match[1])


def set_of(text: bytes) -> list[int]:
    """The numbers of a sequence set."""
    found: list[int] = []
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        found += range(int(first), int(last or first) + 1)
    return found


def uid_set(uids: Iterable[int]) -> str:
    return ",".join(map(str, sorted(uids)))
