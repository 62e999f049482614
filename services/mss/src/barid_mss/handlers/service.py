"""The service: opens its doors, listens, sweeps, drains."""

import asyncio

from barid_contracts.directory import DIRECTORY_CHANGED
from barid_contracts.status import Findings
from barid_contracts.store import ACCOUNT_CHANGED, EVERY_ACCOUNT
from barid_runtime.bus.port import Bus
from barid_runtime.bus.typed import listen
from barid_runtime.inspection import inspected
from barid_runtime.logging import get_logger
from barid_runtime.metrics import Metrics

from ..policy import patience
from ..ports import Connection, Conversation, Door, Doors, Listener, OpenDoors, Wire
from ..settings import Settings
from ..views.shelf import Shelf
from ..views.status import Statuses
from ..views.summaries import Summaries
from .desk import Desk
from .gate import Gate
from .imap_session import ImapSession
from .measures import Measures
from .members import Members
from .pop3_session import Pop3Session
from .unreadable import Unreadable

SPREAD = 0.5
"""Part of the drain's time over which sessions are told to go, so that their clients don't all come back at once."""

LAST_WORDS = 1.0
"""Seconds for connections to take their last words once the time for commands is over."""

POLL = 0.02

_CROWDED = {"imap": b"* BYE Too many connections\r\n", "pop3": b"-ERR [SYS/TEMP] Too many connections\r\n"}

log = get_logger("mss")


def doors_of(settings: Settings) -> list[Door]:
    """What is to listen."""
    made = (
        ("imap", "imap", settings.imap_port, False),
        ("imaps", "imap", settings.imaps_port, True),
        ("pop3", "pop3", settings.pop3_port, False),
        ("pop3s", "pop3", settings.pop3s_port, True),
    )
    return [Door(name, protocol, port, tls) for name, protocol, port, tls in made if port is not None]


class MailStorageServer:
    """Implements barid_runtime.service.Service."""

    name = "mss"

    def __init__(self, settings: Settings, open_doors: OpenDoors, metrics: Metrics) -> None:
        self._settings = settings
        self._open_doors = open_doors
        self._measures = Measures(metrics)
        self._doors: Doors | None = None
        self._desk: Desk | None = None
        self._members: Members | None = None
        self._listeners: dict[str, Listener] = {}
        self._conversations: set[Conversation] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._draining = False

    async def start(self) -> None:
        doors = self._doors = await self._open_doors()
        try:
            await self._serve(doors)
        except BaseException:
            await self.drain()
            raise

    async def _serve(self, doors: Doors) -> None:
        self._draining = False
        settings, bus = self._settings, doors.bus
        statuses = Statuses(bus)
        shelf = Shelf(bus, statuses, most_rows=settings.view_cache)
        members = self._members = Members(bus)
        gate = Gate(settings, bus, members, self._measures)
        self._desk = Desk(
            settings,
            bus,
            doors.clock,
            doors.journal,
            doors.bodies,
            shelf,
            statuses,
            Summaries(bus, most=settings.summary_cache),
            gate,
            self._measures,
            Unreadable(),
        )
        self._measures.views.set_function(lambda: shelf.size)
        await listen(bus, DIRECTORY_CHANGED, members.on_change)
        await listen(bus, ACCOUNT_CHANGED, shelf.on_start_of_mailstore, account=EVERY_ACCOUNT)
        for door in doors_of(settings):
            self._listeners[door.name] = await doors.open_listener(door, self._converse)
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._sweep(shelf), name="mss-sweep"),
            loop.create_task(self._heartbeat(shelf), name="mss-heartbeat"),
            loop.create_task(self._recheck(members), name="mss-recheck"),
        ]

    def _converse(self, wire: Wire, door: Door) -> Conversation | None:
        desk = self._desk
        assert desk is not None
        if self._draining or not desk.gate.enter(wire.ip):
            self._measures.refused.labels(door.protocol).inc()
            if not door.implicit_tls:
                wire.write(_CROWDED[door.protocol])
            return None
        self._measures.sessions.labels(door.protocol).inc()
        return ImapSession(desk, wire, door) if door.protocol == "imap" else Pop3Session(desk, wire, door)

    async def _sweep(self, shelf: Shelf) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(patience.SWEEP)
            try:
                now = loop.time()
                for connection in self._open():
                    connection.sweep(now)
                shelf.sweep(now)
            except Exception:
                log.exception("sweep failed")

    async def _heartbeat(self, shelf: Shelf) -> None:
        while True:
            await asyncio.sleep(patience.HEARTBEAT)
            try:
                await shelf.heartbeat()
            except Exception:
                log.exception("heartbeat failed")

    async def _recheck(self, members: Members) -> None:
        while True:
            await asyncio.sleep(patience.RECHECK)
            members.doubt_all()

    async def drain(self) -> None:
        """Idempotent; may be called while it has not started."""
        doors, self._doors = self._doors, None
        if doors is None:
            return
        self._draining = True
        for listener in self._listeners.values():
            listener.close()
        loop = asyncio.get_running_loop()
        # Leaves time within the process's limit for the doors.
        patience_left = max(self._settings.drain_seconds - 2 * LAST_WORDS, 0.5)
        deadline = loop.time() + patience_left
        await self._tell_all(patience_left * SPREAD)
        await self._until_closed(deadline)
        for connection in self._open():
            connection.abort()
        await self._until_closed(loop.time() + LAST_WORDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._members is not None:
            await self._members.close()
        if self._desk is not None:
            await self._desk.shelf.close()
        self._listeners.clear()
        await doors.close()

    async def _tell_all(self, seconds: float) -> None:
        """In ten groups; a handful of sessions goes at once."""
        waiting = [connection.conversation for connection in self._open()]
        size = max(-(-len(waiting) // 10), 10)
        groups = [waiting[at : at + size] for at in range(0, len(waiting), size)]
        for number, group in enumerate(groups):
            for conversation in group:
                if conversation is not None:
                    conversation.drain()
            if number + 1 < len(groups):
                await asyncio.sleep(seconds / len(groups))

    def _open(self) -> list[Connection]:
        return [connection for listener in self._listeners.values() for connection in listener.connections]

    async def _until_closed(self, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        while self._open() and loop.time() < deadline:  # noqa: ASYNC110 - once in a life, and simpler than news of each
            await asyncio.sleep(POLL)

    @property
    def bus(self) -> Bus | None:
        return None if self._doors is None else self._doors.bus

    def checks(self) -> dict[str, str]:
        doors = self._doors
        if doors is None:
            return {"mss": "not started"}
        return {
            "bus": "ok" if doors.bus.connected else "not connected",
            "journal": doors.journal.problem or "ok",
            "listeners": "ok" if len(self._listeners) == len(doors_of(self._settings)) else "not all are open",
        }

    async def inspect(self) -> Findings:
        """For the roll call."""
        return Findings() if self._doors is None else await inspected(journal=self._doors.journal)

    def ports(self) -> dict[str, int]:
        return {name: listener.port for name, listener in self._listeners.items()}
