"""Doors on loopback that lead elsewhere.

Into the cluster: programs under test log in without TLS, which a server allows on loopback only; so what they say goes
on by TLS. Out of it: hosts of the tests listen on loopback, and pods can't reach that.
"""

import asyncio
import contextlib
import ssl
import threading

from barid_testing.mail_system import Endpoint

CHUNK = 64 * 1024


class Forwarder:
    """An event loop in a thread of its own. A connection whose other half can't be opened is closed at once."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._open: set[asyncio.Task[None] | None] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def open(self, target: Endpoint, *, host: str = "127.0.0.1", port: int = 0, tls: bool = False) -> Endpoint:
        """A door that leads to target. tls: spoken to the target alone, whose certificate may be anybody's."""
        return asyncio.run_coroutine_threadsafe(self._listen(target, host, port, tls), self._loop).result(10)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self, target: Endpoint, host: str, port: int, tls: bool) -> Endpoint:
        context = ssl._create_unverified_context() if tls else None

        async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._open.add(task := asyncio.current_task())  # the server itself keeps none of them alive
            with contextlib.suppress(OSError, asyncio.CancelledError):
                try:
                    theirs, to_them = await asyncio.open_connection(target.host, target.port, ssl=context)
                except OSError:
                    self._open.discard(task)
                    writer.transport.abort()
                    return
                try:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(_pump(reader, to_them))
                        group.create_task(_pump(theirs, writer))
                except* OSError:
                    pass
                finally:
                    to_them.close()
                    writer.close()
                    self._open.discard(task)

        server = await asyncio.start_server(pass_on, host, port)
        self._servers.append(server)
        return Endpoint(host, server.sockets[0].getsockname()[1])

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until either side ends; then both do."""
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
