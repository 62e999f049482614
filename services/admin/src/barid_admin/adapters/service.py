"""The admin API as a service: doors, a listener, the HTTP server on our loop, drain.

The web framework takes 0.4 s of CPU to load and 14 MB, most of what starting a whole system takes. So it is loaded by
the first connection, which waits for it in the listener's backlog; a system whose API nobody asks never pays. Where
that is the wrong bargain, `admin_preload` loads it at the start.

States: *listening* (the loop watches the listener) → *loading* (in a thread) → *serving*; a failure to load ends in
*broken*, which readiness tells.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from barid_runtime.bus.port import Bus
from barid_runtime.logging import get_logger

from ..ports import Doors, OpenDoors
from ..settings import Settings

if TYPE_CHECKING:
    import uvicorn

HEAD_MOST = 32 * 1024
"""Bytes of a request's head."""

DRAIN_SECONDS = 5
"""For requests that run when the service ends; those who wait are told at once."""

BACKLOG = 1024

Api = tuple[Any, Callable[[], Awaitable[None]]]
MakeApi = Callable[[Doors], Api]
"""The ASGI app, and what to call when the service is about to end."""

log = get_logger("admin")


class AdminService:
    """load_api: imports the framework and returns what makes the app; both run in a thread."""

    name = "admin"

    def __init__(self, settings: Settings, open_doors: OpenDoors, load_api: Callable[[], MakeApi]) -> None:
        self._settings = settings
        self._open_doors = open_doors
        self._load_api = load_api
        self._doors: Doors | None = None
        self._listener: socket.socket | None = None
        self._serving: asyncio.Task[None] | None = None
        self._server: uvicorn.Server | None = None
        self._say_goodbye: Callable[[], Awaitable[None]] | None = None
        self._problem = ""
        self._port = 0

    async def start(self) -> None:
        """Raises BusError, OSError (the port is taken)."""
        doors = await self._open_doors()
        try:
            listener = listen(self._settings.host, self._settings.admin_port)
        except BaseException:
            await doors.close()
            raise
        self._doors = doors
        self._listener = listener
        self._port = listener.getsockname()[1]
        if self._settings.admin_preload:
            started = asyncio.Event()
            self._serving = asyncio.ensure_future(self._serve(doors, listener, started))
            await started.wait()
        else:
            asyncio.get_running_loop().add_reader(listener, self._on_first_connection, doors, listener)

    def _on_first_connection(self, doors: Doors, listener: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(listener)
        self._serving = asyncio.ensure_future(self._serve(doors, listener, asyncio.Event()))

    async def _serve(self, doors: Doors, listener: socket.socket, started: asyncio.Event) -> None:
        """Loads, then serves until the server is told to exit."""
        try:
            # A thread of its own: those of the loop's pool may be busy for long.
            thread = ThreadPoolExecutor(1, thread_name_prefix="admin-load")
            try:
                self._say_goodbye, server = await asyncio.get_running_loop().run_in_executor(thread, self._load, doors)
            finally:
                thread.shutdown(wait=False)
            self._server = server
            await server.startup(sockets=[listener])
            started.set()
            # Its own `serve` would take the signals of the process, which are the runner's.
            await server.main_loop()
            await server.shutdown(sockets=[listener])
        except Exception:
            log.exception("the API can't be served")
            self._problem = "can't be served; see the log"
            listener.close()
        finally:
            started.set()

    def _load(self, doors: Doors) -> tuple[Callable[[], Awaitable[None]], "uvicorn.Server"]:
        app, say_goodbye = self._load_api()(doors)
        return say_goodbye, _new_server(app)

    async def drain(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None and self._serving is None:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        if self._serving is not None:
            if self._say_goodbye is not None:
                await self._say_goodbye()
            if self._server is not None:
                self._server.should_exit = True
            else:
                self._serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._serving
            self._serving = None
            if listener is not None:
                listener.close()
        if self._doors is not None:
            await self._doors.close()
            self._doors = None

    @property
    def bus(self) -> Bus | None:
        return None if self._doors is None else self._doors.bus

    def checks(self) -> dict[str, str]:
        if self._doors is None:
            return {"start": "not started"}
        listening = self._listener is not None and (self._serving is None or not self._serving.done())
        return {
            "bus": "ok" if self._doors.bus.connected else "not connected",
            "listener": self._problem or ("ok" if listening else "not listening"),
        }

    def ports(self) -> dict[str, int]:
        return {"admin": self._port} if self._port else {}


def _new_server(app: Any) -> "uvicorn.Server":
    import uvicorn

    from .http import REQUEST_SECONDS, TimedProtocol

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        http=TimedProtocol,
        server_header=False,
        h11_max_incomplete_event_size=HEAD_MOST,
        timeout_keep_alive=int(REQUEST_SECONDS) + 5,  # our own timer comes first
        timeout_graceful_shutdown=DRAIN_SECONDS,
        backlog=BACKLOG,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    return server


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError naming what is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"admin API: {host}:{port}: {error.strerror}") from None
    listener.setblocking(False)
    return listener
