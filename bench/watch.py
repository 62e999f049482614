"""A reader: counts messages by STATUS, waits for them by IDLE."""

import asyncio
import re


class Reader:
    """One IMAP session that is logged in before anything is measured."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer, self._tag = reader, writer, 0

    @classmethod
    async def login(cls, host: str, port: int, login: str, password: str) -> "Reader":
        reader, writer = await asyncio.open_connection(host, port)
        await reader.readline()
        session = cls(reader, writer)
        await session.command(f'LOGIN "{login}" "{password}"')
        return session

    async def command(self, text: str) -> list[bytes]:
        """The untagged lines of the answer. Raises when it isn't OK."""
        self._tag += 1
        tag = f"a{self._tag} ".encode()
        self._writer.write(tag + text.encode() + b"\r\n")
        lines: list[bytes] = []
        while not (line := await self._reader.readline()).startswith(tag):
            if not line:
                raise ConnectionError(f"the server closed the session during {text.split()[0]}")
            lines.append(line)
        if b" OK" not in line[: len(tag) + 3]:
            raise RuntimeError(f"{text.split()[0]}: {line!r}")
        return lines

    async def count(self, mailbox: str = "INBOX") -> int:
        found = re.search(rb"MESSAGES (\d+)", b"".join(await self.command(f"STATUS {mailbox} (MESSAGES)")))
        assert found
        return int(found[1])

    async def idle(self) -> None:
        await self.command("SELECT INBOX")
        self._writer.write(b"i IDLE\r\n")
        await self._reader.readline()

    async def next_exists(self) -> None:
        while b" EXISTS" not in await self._reader.readline():
            pass

    def close(self) -> None:
        self._writer.close()


async def until_counted(readers: dict[str, Reader], wanted: dict[str, int], seconds: float = 300) -> None:
    """Poll one account after the other, at 20 ms, until each has what it should."""
    async with asyncio.timeout(seconds):
        for account, reader in readers.items():
            while await reader.count() < wanted[account]:
                await asyncio.sleep(0.02)
