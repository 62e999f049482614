"""TLS before a server that has none, for tests of clients: the packages' PostgreSQL is built without it."""

import asyncio
import contextlib
import ssl
from types import TracebackType

SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
"""PostgreSQL's clients ask for TLS before anything else, and are told `S` (PostgreSQL, Frontend/Backend Protocol)."""

MOMENT = 0.01
"""Seconds in which the loop closes the sockets of aborted connections: they must not outlast it."""


class TlsFront:
    """`async with`; `port` is where clients come to. postgres: TLS begins as its clients ask for it, else at once."""

    def __init__(self, behind: int, context: ssl.SSLContext, *, postgres: bool = False) -> None:
        self._behind = behind
        self._context = context
        self._postgres = postgres
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.secured = 0
        """Connections whose handshake is done."""

    async def __aenter__(self) -> "TlsFront":
        at_once = None if self._postgres else self._context
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=at_once)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(MOMENT)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Cancelled by us alone; whoever made the task asks what became of it.
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            if self._postgres:
                if await reader.readexactly(8) != SSL_REQUEST:
                    writer.close()
                    return
                writer.write(b"S")
                await writer.start_tls(self._context)
            self.secured += 1
            await self._join(reader, writer)
        writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", self._behind)
        try:
            await asyncio.gather(_pour(reader, behind_writer), _pour(behind_reader, writer))
        finally:
            behind_writer.transport.abort()


async def _pour(source: asyncio.StreamReader, drain: asyncio.StreamWriter) -> None:
    while data := await source.read(1 << 16):
        drain.write(data)
        await drain.drain()
    drain.close()
