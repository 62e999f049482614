"""The service: opens the doors in the order in which they are needed, closes them in the order that loses nothing.

Start: known recipients, the bus if it is there (else when it comes), publisher, listeners. Drain: no new connections,
421 to those that are idle, messages that arrive are finished, the journal is sealed, the publisher gets a moment.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from barid_contracts.directory import DIRECTORY_CHANGED, DirectoryChanged
from barid_contracts.mail import Accepted
from barid_contracts.status import Findings
from barid_contracts.store import OVER_QUOTA_CHANGED
from barid_protocols.smtp import Profile, ServerConnection, ServerOptions, lmtp, mx, submission, submissions
from barid_runtime.bus.port import Bus
from barid_runtime.bus.typed import listen
from barid_runtime.clock import Clock
from barid_runtime.ids import new_id, new_mail_id
from barid_runtime.inspection import inspected
from barid_runtime.journal.port import JournalError
from barid_runtime.logging import get_logger
from barid_runtime.rates.shared import SharedRates

from ..policy.limits import Connections
from ..policy.patience import SWEEP
from ..ports import (
    Connection,
    Conversation,
    Conversations,
    Door,
    Journal,
    KnownStore,
    Listener,
    OpenListener,
    Publishing,
)
from ..settings import Settings
from . import measures
from .accounts import Accounts
from .conversation import SmtpConversation
from .desk import Desk
from .quota import QuotaState
from .recipients import Recipients
from .throttle import Throttle

PUBLISH_GRACE = 3.0
"""Seconds that the publisher gets at the end; what it can't say then, the next incarnation says."""

LAST_WORDS = 1.0
"""Seconds for connections to take their 421 once the time for messages is over."""

POLL = 0.02

log = get_logger("smtp_ingress")


def doors(settings: Settings) -> list[Door]:
    """What is to listen, with its options."""
    host = settings.hostname
    made: Iterable[tuple[str, int | None, ServerOptions]] = (
        ("smtp", settings.smtp_port, mx(host, starttls=True)),
        ("submission", settings.submission_port, submission(host)),
        ("submissions", settings.submissions_port, submissions(host)),
        ("lmtp", settings.lmtp_port, lmtp(host, starttls=True)),
    )
    found: list[Door] = []
    for name, port, each in made:
        if port is None:
            continue
        options = replace(each, max_size=settings.max_size, max_recipients=settings.max_recipients)
        plaintext = replace(options, allow_plaintext_auth=True) if settings.allow_plaintext else options
        found.append(Door(name, options, plaintext, options.profile is Profile.SUBMISSIONS, port))
    return found


class IngressService:
    """Implements barid_runtime.service.Service."""

    name = "smtp_ingress"

    def __init__(
        self,
        settings: Settings,
        *,
        bus: Bus,
        start_bus: Callable[[], Awaitable[None]],
        journal: Journal,
        publisher: Publishing,
        known: KnownStore,
        open_listener: OpenListener,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._start_bus = start_bus
        self._journal = journal
        self._publisher = publisher
        self._open_listener = open_listener
        self._recipients = Recipients(bus, clock, known, most=settings.known_recipients)
        self._accounts = Accounts(bus, clock)
        self._quota = QuotaState(bus)
        self._rates = SharedRates("smtp_ingress", new_id(), bus, clock)
        self._desk = Desk(
            settings,
            clock,
            journal,
            self._recipients,
            self._accounts,
            self._quota,
            Connections(overall=settings.max_connections, per_network=settings.max_connections_per_network),
            Throttle(self._rates, settings),
        )
        self._listeners: dict[str, Listener] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._drained = False

    async def start(self) -> None:
        await self._recipients.load()
        await listen(self._bus, DIRECTORY_CHANGED, self._on_directory_change)
        await listen(self._bus, OVER_QUOTA_CHANGED, self._quota.on_change)
        self._bus.on_reconnect(self._after_absence)
        await self._rates.start()
        await self._start_bus()
        await self._publisher.start()
        measures.backlog.set_function(lambda: self._publisher.backlog)
        measures.bus.set_function(lambda: self._bus.connected)
        for door in doors(self._settings):
            self._listeners[door.name] = await self._open_listener(door, self._conversations(door.options.profile))
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._sweep(), name="sweep"),
            loop.create_task(self._recipients.keep_saved(), name="known-recipients"),
        ]

    def _conversations(self, profile: Profile) -> Conversations:
        desk = self._desk

        def converse(ip: str, core: ServerConnection) -> Conversation:
            return SmtpConversation(desk, profile, ip, core)

        return converse

    async def _on_directory_change(self, change: DirectoryChanged) -> None:
        self._recipients.on_change(change)
        self._accounts.on_change(change)

    async def _after_absence(self) -> None:
        """News may have been missed."""
        self._recipients.doubt()
        self._accounts.doubt()
        self._quota.refresh()

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP)
            now = loop.time()
            for listener in self._listeners.values():
                for connection in listener.connections:
                    connection.sweep(now)
            if self._journal.problem:
                await self._try_journal()

    async def _try_journal(self) -> None:
        """A journal that failed shows it until it succeeds; while we are not ready nobody may come to make it try."""
        now = self._desk.clock.now()
        mail = Accepted(mail_id=new_mail_id(now), at=int(now * 1000), reverse_path="", size=0)
        try:
            await self._journal.append(mail, b"")
        except JournalError as error:
            log.warning("journal still fails", error=str(error))

    async def drain(self) -> None:
        if self._drained:
            return
        self._drained = True
        for listener in self._listeners.values():
            listener.close()
        loop = asyncio.get_running_loop()
        # Leaves time within the process's limit for the journal and the publisher.
        patience = max(self._settings.drain_seconds - PUBLISH_GRACE - LAST_WORDS - 1.0, 0.5)
        for each in self._open():
            each.drain()
        await self._until_closed(loop.time() + patience)
        for each in self._open():
            each.shut()
        await self._until_closed(loop.time() + LAST_WORDS)
        for each in self._open():
            each.shut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._journal.close()
        await self._publisher.close(PUBLISH_GRACE)
        await self._recipients.save()
        await self._quota.close()
        await self._rates.close()
        await self._bus.close()

    def _open(self) -> list[Connection]:
        return [connection for listener in self._listeners.values() for connection in listener.connections]

    async def _until_closed(self, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        while self._open() and loop.time() < deadline:  # noqa: ASYNC110 - once in a life, and simpler than news of each
            await asyncio.sleep(POLL)

    @property
    def bus(self) -> Bus | None:
        return self._bus

    def checks(self) -> dict[str, str]:
        """Readiness is the journal's: mail is accepted while the bus and all behind it are away."""
        return {
            "journal": self._journal.problem or "ok",
            "listeners": "ok" if self._listeners and not self._drained else "closed",
        }

    async def inspect(self) -> Findings:
        """For the roll call."""
        return await inspected(journal=self._journal)

    def ports(self) -> dict[str, int]:
        return {name: listener.port for name, listener in self._listeners.items()}
