"""The admin API as a service: doors, the HTTP server on our loop, drain."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from barid_runtime.logging import get_logger

from ..ports import Doors, OpenDoors
from ..settings import Settings

if TYPE_CHECKING:
    import uvicorn

HEAD_MOST = 32 * 1024
"""Bytes of a request's head."""

IDLE_SECONDS = 75
"""A connection is kept open between requests."""

DRAIN_SECONDS = 5
"""For requests that run when the service ends; those who wait are told at once."""

BACKLOG = 1024

Api = tuple[Any, Callable[[], Awaitable[None]]]
MakeApi = Callable[[Doors], Api]
"""The ASGI app, and what to call when the service is about to end."""

log = get_logger("admin")


class AdminService:
    """load_api: imports the framework and returns what makes the app. Both are done in a thread: the framework takes
    0.25 s to import and 0.1 s to learn our routes, in which the other services of the process start."""

    name = "admin"

    def __init__(self, settings: Settings, open_doors: OpenDoors, load_api: Callable[[], MakeApi]) -> None:
        self._settings = settings
        self._open_doors = open_doors
        self._load_api = load_api
        self._doors: Doors | None = None
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._say_goodbye: Callable[[], Awaitable[None]] | None = None
        self._port = 0

    async def start(self) -> None:
        """Raises BusError, OSError (the port is taken)."""
        loading = asyncio.ensure_future(asyncio.to_thread(self._load))
        doors = None
        try:
            doors = await self._open_doors()
            make_api, new_server = await loading
            app, self._say_goodbye = await asyncio.to_thread(make_api, doors)
            listener = listen(self._settings.host, self._settings.admin_port)
        except BaseException:
            loading.cancel()
            if doors is not None:
                await doors.close()
            raise
        self._doors = doors
        self._port = listener.getsockname()[1]
        self._server = new_server(app)
        await self._server.startup(sockets=[listener])
        self._serving = asyncio.ensure_future(self._serve(self._server, listener))

    def _load(self) -> tuple[MakeApi, Callable[[Any], "uvicorn.Server"]]:
        import uvicorn

        def new_server(app: Any) -> uvicorn.Server:
            config = uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                http="h11",
                server_header=False,
                h11_max_incomplete_event_size=HEAD_MOST,
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=DRAIN_SECONDS,
                backlog=BACKLOG,
            )
            config.load()
            server = uvicorn.Server(config)
            server.lifespan = config.lifespan_class(config)
            return server

        return self._load_api(), new_server

    async def _serve(self, server: "uvicorn.Server", listener: socket.socket) -> None:
        # Its own `serve` would take the signals of the process, which are the runner's.
        await server.main_loop()
        await server.shutdown(sockets=[listener])

    async def drain(self) -> None:
        if self._say_goodbye is not None:
            await self._say_goodbye()
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            with contextlib.suppress(asyncio.CancelledError):
                await self._serving
            self._serving = None
        if self._doors is not None:
            await self._doors.close()
            self._doors = None

    def checks(self) -> dict[str, str]:
        if self._doors is None:
            return {"start": "not started"}
        serving = self._serving is not None and not self._serving.done()
        return {
            "bus": "ok" if self._doors.bus.connected else "not connected",
            "listener": "ok" if serving else "not serving",
        }

    def ports(self) -> dict[str, int]:
        return {"admin": self._port} if self._port else {}


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises OSError naming what is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"admin API: {host}:{port}: {error.strerror}") from None
    listener.setblocking(False)
    return listener
