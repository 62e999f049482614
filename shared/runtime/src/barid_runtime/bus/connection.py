"""One connection of nats-py at a time, opened anew for as long as it takes.

- A connection that the server ended for good is opened again, with all subscriptions; only `close` closes.
- The library's callbacks count while the client is the one in use.
- Of several servers each attempt takes any one, those that it heard of by the others too.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

from nats.aio.client import Client, Server
from nats.errors import Error as NatsError

from ..logging import get_logger
from .access import Access, Trust
from .port import BusUnavailable
from .subscriptions import CONNECT_TIMEOUT, Listening, flushed

PENDING_BYTES = 64 * 1024 * 1024
"""Bytes that may wait for the socket before publishers are slowed: some batches of events, not a memory hazard."""

RECONNECT_FIRST = 0.02
RECONNECT_MOST = 2.0
"""Seconds between attempts to connect, doubling; each is drawn between half and whole, so that nobody comes in step."""

ERRORS_MOST = 4
"""Different errors of attempts to connect that are told when we give up."""

PING_SECONDS = 10
"""A server that hangs (rather than dies) is given up after three of these."""

CLOSE_SECONDS = 5.0
"""For an attempt to connect that is under way when we close, and can't be interrupted."""

log = get_logger("bus")


class _AttemptFailed(Exception):
    """One attempt to connect failed."""


class _Client(Client):
    """nats-py's, less two of its faults.

    It takes a server at its word that there is no TLS, and sends it the log-in. And a PONG for a flush that was given
    up raises in its read loop, which ends: the connection looks well and is deaf for good.
    """

    insists_on_tls = False

    async def _process_pong(self) -> None:
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()

    def _connect_command(self) -> bytes:
        if self.insists_on_tls and not self._server_info.get("tls_required"):
            raise NatsError("the server asks for no TLS; it is not told our log-in")
        return super()._connect_command()


class Connection:
    """`open` it, then `close` it. subscriptions: what each new client is told of, in order.

    inbox: the prefix of nats-py's own inboxes. on_lost: called at once, with a reason, when the connection is gone.
    on_back: when it is there again, with its subscriptions; not for the first time.
    """

    def __init__(
        self,
        access: Access,
        *,
        name: str,
        inbox: str,
        on_lost: Callable[[str], None],
        on_back: Callable[[], None],
    ) -> None:
        self._access = access
        self._trust = Trust(access)
        self._name = name
        self._inbox = inbox
        self._on_lost = on_lost
        self._on_back = on_back
        self._closing = False
        self._away = True
        self._attempts = 0
        self._last_error = ""
        self._errors: dict[str, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._flushes: set[asyncio.Task[None]] = set()
        self.client: Client | None = None
        self.subscriptions: list[Listening] = []

    @property
    def connected(self) -> bool:
        return not self._away and self.client is not None and self.client.is_connected

    @property
    def server(self) -> str:
        """Its name, as it told us; empty while we are not connected."""
        if not self.connected or self.client is None:
            return ""
        return str(self.client._server_info.get("server_name", ""))

    async def open(self, timeout: float) -> None:
        """Connect for the first time. Raises BusUnavailable, with all that was said, after `timeout`."""
        opening = self.spawn(self._keep_trying())
        # Not a timeout around it: nats-py may swallow the one cancellation that this would send.
        await asyncio.wait((opening,), timeout=timeout)
        if not self.connected:
            said = "; ".join(self._errors) or "no answer"
            await self.close()
            raise BusUnavailable(f"no bus at {', '.join(self._access.servers)}: {said}")

    async def close(self) -> None:
        """Write what is pending, then disconnect for good."""
        self._closing = True
        if self.client is not None:
            await self.flush()
            await _close(self.client)
        self._away = True
        self._on_lost("the bus was closed")
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)

    async def _keep_trying(self) -> None:
        while not self._closing:
            try:
                await self._connect()
            except (BusUnavailable, NatsError, OSError, TimeoutError, _AttemptFailed) as error:
                self._note(error)
                await asyncio.sleep(self._pause())
            else:
                return

    async def _connect(self) -> None:
        """One attempt."""
        client = _Client()
        client.insists_on_tls = self._access.insists_on_tls
        opening = True

        async def on_error(error: Exception) -> None:
            self._note(error)
            if opening:
                # The library would try for ever by itself, deaf to us.
                raise _AttemptFailed(str(error))
            if not self._away:
                log.warning("bus error", error=self._last_error)

        async def on_disconnect() -> None:
            if client is self.client:
                self._lost()

        async def on_reconnect() -> None:
            if client is self.client:
                self._back()

        async def on_closed() -> None:
            if client is self.client:
                self._ended()

        try:
            await client.connect(
                self._access.servers,
                name=self._name or self._access.user,
                user=self._access.user or None,
                password=self._access.password or None,
                tls=self._trust.context(),
                inbox_prefix=self._inbox,
                error_cb=on_error,
                disconnected_cb=on_disconnect,
                reconnected_cb=on_reconnect,
                closed_cb=on_closed,
                reconnect_to_server_handler=self._choose_server,
                # Also how long its close waits for its own reconnecting to end.
                reconnect_time_wait=RECONNECT_FIRST,  # type: ignore[arg-type] # declared int, slept on
                max_reconnect_attempts=-1,
                connect_timeout=CONNECT_TIMEOUT,
                ping_interval=PING_SECONDS,
                pending_size=PENDING_BYTES,
                skip_subject_validation=True,
            )
            opening = False
            for subscription in self.subscriptions:
                await subscription.attach(client)
            if not client.is_connected:
                raise _AttemptFailed("lost again at once")
        except BaseException:
            opening = False
            await _close(client)
            raise
        self.client = client
        self._attempts = 0
        self._away = False
        self._errors.clear()

    def _note(self, error: BaseException) -> None:
        """While connecting, a line each attempt would be noise: the loss is logged once, in `_lost`."""
        self._last_error = str(error) or type(error).__name__
        if len(self._errors) < ERRORS_MOST:
            # A refusal by name may be followed by mere resets: all that was said is told.
            self._errors[self._last_error] = None

    def _pause(self) -> float:
        ceiling = min(RECONNECT_MOST, RECONNECT_FIRST * 2.0 ** min(self._attempts, 10))
        self._attempts += 1
        return ceiling * random.uniform(0.5, 1)  # noqa: S311 - jitter

    def _renew_trust(self) -> None:
        """The library connects again by itself: with the certificates of now, or else with the last good ones."""
        try:
            if (context := self._trust.context()) is not None and self.client is not None:
                self.client.options["tls"] = context
        except BusUnavailable as error:
            self._note(error)

    def _choose_server(self, servers: list[Server], info: dict[str, Any]) -> tuple[Server, float]:
        self._renew_trust()
        return random.choice(servers), self._pause()  # noqa: S311 - any will do

    def _lost(self) -> None:
        if self._away:
            return
        self._away = True
        if not self._closing:
            log.warning("bus lost", error=self._last_error)
        self._on_lost("the bus went away")
        for flush in self._flushes:
            flush.cancel()

    async def flush(self) -> None:
        """Until the server has read all that we wrote, or the connection is lost: then nobody waits for a PONG."""
        if self.client is not None and self.connected:
            task = self.spawn(flushed(self.client))
            self._flushes.add(task)
            await asyncio.wait((task,))
            self._flushes.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                self._note(error)

    def _back(self) -> None:
        self._attempts = 0
        self._away = False
        self._errors.clear()
        log.info("bus is back")
        self._on_back()

    def _ended(self) -> None:
        """nats-py gave the connection up (the server said -ERR): begin anew."""
        self._lost()
        if not self._closing:
            self.spawn(self._reopen())

    async def _reopen(self) -> None:
        await asyncio.sleep(self._pause())
        await self._keep_trying()
        if not self._closing:
            self._back()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _close(client: Client) -> None:
    """nats-py's close writes what is pending first, and gives up half-way when the connection is already gone."""
    try:
        await client.close()
    except (NatsError, OSError, AssertionError):
        transport: Any = client._transport
        if transport is not None:
            transport.close()
