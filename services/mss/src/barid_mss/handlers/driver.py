"""What sessions of both protocols have in common: one task at a time that pulls events from the core, reading held back
while the core has enough, and the end in all its forms.

Rules:
- A task exists only while there is something to answer; a session at rest is a few objects.
- Whatever a handler raises is answered or logged, never propagated; a bug ends one session at worst.
"""

import asyncio
from abc import ABC, abstractmethod
from typing import Protocol

from barid_runtime.logging import get_logger

from ..ports import Door, Wire
from .desk import Desk

_AGREED = frozenset(("", "logout", "client is gone", "quit", "end of input"))
"""Reasons of the cores' ends that are nobody's fault."""

log = get_logger("mss.session")


class Core(Protocol):
    """What both protocol cores have."""

    @property
    def wants_data(self) -> bool: ...

    @property
    def rejected(self) -> int: ...

    @property
    def rejection(self) -> str: ...

    @property
    def rejection_blames_syntax(self) -> bool: ...

    @property
    def close_reason(self) -> str: ...

    def receive_data(self, data: bytes) -> None: ...

    def receive_eof(self) -> None: ...

    def greeting(self) -> bytes: ...


class Driver(ABC):
    """Implements most of ports.Conversation."""

    def __init__(self, desk: Desk, wire: Wire, door: Door, core: Core) -> None:
        self.desk = desk
        self.wire = wire
        self.door = door
        self.account: str | None = None
        self.draining = False
        self.expelled = ""
        """Why it may not stay, if so."""
        self._reader = core
        self._task: asyncio.Task[None] | None = None
        self._holding = False
        self._heard = False
        self._heard_at = self._began_at = asyncio.get_running_loop().time()
        self._lost = False
        self._told_rejected = 0

    # ports.Conversation

    def begin(self) -> None:
        self.wire.write(self._reader.greeting())
        if self.draining:
            self.settle()

    def received(self, data: bytes) -> None:
        self._heard = True
        self._reader.receive_data(data)
        if self._task is None:
            self._wake()
        elif not self._reader.wants_data and not self._holding:
            self._holding = True
            self.wire.hold(True)

    def ended(self) -> None:
        self._reader.receive_eof()
        if self._task is None:
            self._wake()

    def lost(self) -> None:
        self._lost = True
        self.desk.gate.leave(self.wire.ip)
        self.desk.measures.sessions.labels(self.door.protocol).dec()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._let_go())

    def unclogged(self) -> None:
        """Whoever awaits `drained` goes on by itself."""
        return

    def sweep(self, now: float) -> None:
        if self._heard or (self._task is not None and self.account is not None):
            # While a command runs it is we who keep the client waiting.
            self._heard_at = now
            self._heard = False
        if self.account is None:
            if now - self._began_at > self.login_patience:
                self._log_cut_off("log-in takes too long")
                self.end("Log-in takes too long")
        elif now - self._heard_at > self.idle_patience:
            self.end("Idle for too long")

    def drain(self) -> None:
        self.draining = True
        if not self.busy:
            self.settle()

    def expel(self, text: str) -> None:
        self.expelled = text
        if not self.busy:
            self.settle()

    async def finished(self) -> None:
        while self._task is not None:
            await asyncio.wait((self._task,))

    # for those who derive

    login_patience: float
    idle_patience: float

    @property
    @abstractmethod
    def busy(self) -> bool:
        """A command runs."""

    @abstractmethod
    async def pump(self) -> None:
        """Answer all that is there. May raise ConnectionError: the client is gone."""

    @abstractmethod
    def settle(self) -> None:
        """At a command boundary: end the session if it is to end."""

    @abstractmethod
    def end(self, text: str) -> None:
        """Say so and close, now."""

    async def clean_up(self) -> None:
        """After the connection is lost, when nothing runs any more. Called once."""
        self.log_out()

    def log_out(self) -> None:
        """Nobody is logged in any more; there is as much time to log in as at the beginning."""
        if self.account is not None:
            self.desk.gate.log_out(self, self.account)
            self.account = None
            self._began_at = asyncio.get_running_loop().time()

    async def room(self) -> None:
        """Before more output is made: lets others run, and waits for a slow reader."""
        if self.wire.clogged or self.wire.gone:
            await self.wire.drained()
        else:
            await asyncio.sleep(0)

    # within

    def _wake(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            await self.pump()
            self.wire.flush()
            if self._holding and self._reader.wants_data:
                self._holding = False
                self.wire.hold(False)
        except ConnectionError:
            pass
        except Exception:
            log.exception("session failed", protocol=self.door.protocol, account=self.account)
            self.wire.abort()
        self._log_trouble()
        if self._lost:
            await self._let_go()
        self._task = None

    def _log_trouble(self) -> None:
        """What the core refused by itself. One line for all of a read, so a flood of bad commands is none of lines."""
        core = self._reader
        if core.rejected != self._told_rejected:
            count, self._told_rejected = core.rejected - self._told_rejected, core.rejected
            what = "protocol error" if core.rejection_blames_syntax else "refused"
            log.info(what, protocol=self.door.protocol, ip=self.wire.ip, reply=core.rejection, commands=count)
        if core.close_reason not in _AGREED:
            self._log_cut_off(core.close_reason)

    def _log_cut_off(self, reason: str) -> None:
        log.info("cut off", reason=reason, door=self.door.name, ip=self.wire.ip)

    async def _let_go(self) -> None:
        try:
            await self.clean_up()
        except Exception:
            log.exception("session not cleaned up", protocol=self.door.protocol)
        self._task = None
