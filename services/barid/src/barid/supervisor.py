"""Services in processes of their own: forked, watched, started again, ended in order.

A process that ends on its own is forked again after a pause that doubles with each early end and is forgotten after a
while of good work. Wrong settings (EX_CONFIG) aren't tried again, nor, before the system was ever ready, a start that
failed for a reason that a person must mend, or fails again and again: then `failed` says why. The fork server itself is
replaced in the same way, and with it all that the kernel killed along with it.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from barid_runtime.logging import get_logger

from .crew import CHECK_SECONDS, READY_SECONDS, CrewError, in_order_of_leaving
from .plan import Process
from .ports import LOOPBACK
from .roster import SERVICES

log = get_logger("barid.supervisor")

PAUSE_FIRST = 0.1
PAUSE_MOST = 10.0
STABLE_SECONDS = 30.0
"""A process that worked this long failed by accident, not by its nature."""

ATTEMPTS_AT_START = 4
"""Before the system was ever ready: more of the same will not help."""

SERVER_ATTEMPTS_AT_START = 2
"""What can't be imported twice won't be the third time."""

KILL_AFTER = 2.0
"""Seconds beyond the drain limit: a process ends itself by then."""


@dataclass(slots=True)
class Group:
    """Services of one process; members: by their names among all. pid: while it runs. ready: since its listeners
    answered. leaving: it is asked to end, and is not started again."""

    name: str
    members: dict[str, str]
    first: bool
    health_port: int
    pid: int | None = None
    pause: float = PAUSE_FIRST
    forked_at: float = 0.0
    attempts: int = 0
    leaving: bool = False
    ports: dict[str, int] = field(default_factory=dict)
    failure: CrewError | None = None
    """Why its present process can't start, as that said."""
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """A Crew (crew.py) of several processes.

    health_ports: of each group. Its processes come back to them, as to the listeners' ports in their settings: those
    must be reserved (ports.py). keep: descriptors that all processes hold (the lock).
    """

    def __init__(
        self,
        processes: Sequence[Process],
        health_ports: Sequence[int],
        *,
        drain_seconds: float,
        log_level: str,
        log_format: str,
        keep: Sequence[int] = (),
    ) -> None:
        self._groups = {
            process.name: Group(process.name, process.members, process.replica == 1, port)
            for process, port in zip(processes, health_ports, strict=True)
        }
        self._drain_seconds = drain_seconds
        self._log = (log_level, log_format)
        self._keep = tuple(keep)
        self._settings: dict[str, dict[str, Any]] = {}
        self._server: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._was_ready = False
        self._server_pause = PAUSE_FIRST
        self._server_attempts = 0
        self.failed: asyncio.Future[CrewError] = asyncio.get_running_loop().create_future()
        self.changed = asyncio.Event()
        """Set when pids are other than they were."""

    async def open(self) -> None:
        """Start the fork server, which imports while others do something else."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._server = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "barid.forkserver",
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), *self._keep),
                # A terminal's Ctrl-C is for us, who end the others in order.
                start_new_session=True,
            )
        reader, self._writer = await asyncio.open_connection(sock=ours)
        self._reading = asyncio.create_task(self._read(reader))

    async def start(self, settings: Mapping[str, dict[str, Any]]) -> None:
        self._settings = dict(settings)
        # The first process of a service brings its tables up to date; the others would only wait for that.
        for first in (True, False):
            await self._start([group for group in self._groups.values() if group.first is first])
        self._was_ready = True

    async def _start(self, groups: Sequence[Group]) -> None:
        for group in groups:
            self._fork(group)
        waiting = asyncio.gather(*(self._until_ready(group) for group in groups))
        done, _ = await asyncio.wait((waiting, self.failed), return_when=asyncio.FIRST_COMPLETED)
        if self.failed in done:
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
            raise self.failed.result()
        await waiting

    async def started(self, service: str) -> None:
        await next(group for group in self._groups.values() if service in group.members).ready.wait()

    async def add(self, process: Process, health_port: int, settings: Mapping[str, dict[str, Any]]) -> None:
        """One more, while the others work; returns when it is ready. Raises CrewError, and then it is not there."""
        group = Group(process.name, process.members, process.replica == 1, health_port)
        self._settings.update(settings)
        self._groups[group.name] = group
        self._fork(group)
        try:
            await self._until_ready(group)
        except CrewError:
            await self.remove(group.name)
            raise
        self.changed.set()

    async def remove(self, name: str) -> None:
        """Ask it to end, and forget it when it has; within the drain limit, then by SIGKILL."""
        group = self._groups[name]
        group.leaving = True
        self.changed.set()
        self._signal(group, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._drain_seconds + KILL_AFTER):
                await group.gone.wait()
        if not group.gone.is_set():
            log.error("killed: it did not end in time", process=group.name, pid=group.pid)
            self._signal(group, signal.SIGKILL)
            await group.gone.wait()
        # Whoever waits to fork it again sees that it is leaving.
        del self._groups[name]
        self.changed.set()

    def replicas(self, service: str) -> int:
        """How many processes of it are there and don't leave."""
        return sum(service in group.members.values() and not group.leaving for group in self._groups.values())

    def pids(self) -> dict[str, int]:
        server = {"forkserver": self._server.pid} if self._server is not None else {}
        return server | {
            member: group.pid for group in self._groups.values() for member in group.members if group.pid is not None
        }

    def health_ports(self) -> dict[str, int]:
        return {member: group.health_port for group in self._groups.values() for member in group.members}

    def ports(self) -> dict[str, dict[str, int]]:
        return {
            member: {name: port for name, port in group.ports.items() if name in SERVICES[service].listeners}
            for group in self._groups.values()
            for member, service in group.members.items()
            if not group.leaving
        }

    async def stop(self) -> None:
        """SIGTERM in order of leaving, all within the drain limit; then SIGKILL."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        loop = asyncio.get_running_loop()
        until = loop.time() + self._drain_seconds + KILL_AFTER
        for stage in in_order_of_leaving([name for group in self._groups.values() for name in group.members.values()]):
            leaving = [
                group
                for group in self._groups.values()
                # Several services in a process leave with the last of them.
                if group.pid is not None and in_order_of_leaving([*group.members.values()])[-1][0] in stage
            ]
            for group in leaving:
                self._signal(group, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await asyncio.gather(*(group.gone.wait() for group in leaving))
            for group in leaving:
                if not group.gone.is_set():
                    log.error("killed: it did not end in time", process=group.name, pid=group.pid)
                    self._signal(group, signal.SIGKILL)
        await self._close_server()

    async def _close_server(self) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._server is not None:
            try:
                async with asyncio.timeout(KILL_AFTER):
                    await self._server.wait()
            except TimeoutError:
                self._server.kill()
                await self._server.wait()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    # --- to the fork server

    def _fork(self, group: Group) -> None:
        group.ready.clear()
        group.gone.clear()
        group.failure = None
        group.attempts += 1
        group.forked_at = asyncio.get_running_loop().time()
        level, shape = self._log
        order = {
            "group": group.name,
            "services": {service: self._settings[member] for member, service in group.members.items()},
            "health_port": group.health_port,
            "drain_seconds": self._drain_seconds,
            "log_level": level,
            "log_format": shape,
        }
        assert self._writer is not None
        self._writer.write(json.dumps(order).encode() + b"\n")

    def _signal(self, group: Group, number: int) -> None:
        if group.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(group.pid, number)

    # --- from the fork server and the processes

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            async for line in reader:
                self._on_message(json.loads(line))
        if not self._stopping:
            await self._replace_server()

    def _on_message(self, message: dict[str, Any]) -> None:
        group = self._groups.get(message.get("group", ""))
        if group is None:
            return
        match message["event"]:
            case "forked":
                group.pid = message["pid"]
                self.changed.set()
                if self._stopping or group.leaving:
                    self._signal(group, signal.SIGTERM)
            case "ready" if group.pid in (None, message["pid"]):
                # On a busy machine the process is heard before the fork server gets to say that it forked it.
                group.pid = message["pid"]
                group.ports = message["ports"]
                group.ready.set()
            case "failed" if group.pid in (None, message["pid"]):
                group.failure = CrewError(message["text"], message["code"])
            case "ended" if message["pid"] == group.pid:
                self._on_end(group, message["code"])

    def _on_end(self, group: Group, code: int) -> None:
        pid, group.pid = group.pid, None
        group.gone.set()
        if self._stopping or group.leaving:
            return
        words = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        failure = group.failure
        if failure is not None:
            words = str(failure)
        elif code == os.EX_CONFIG:
            failure = CrewError(f"{group.name}: wrong settings", code)
        elif group.attempts >= ATTEMPTS_AT_START:
            failure = CrewError(f"{group.name} does not start ({words}); the log above says why")
        if failure is not None and (code == os.EX_CONFIG or not self._was_ready):
            self._fail(failure)
            return
        if asyncio.get_running_loop().time() - group.forked_at > STABLE_SECONDS:
            group.pause = PAUSE_FIRST
        log.warning("ended; starting it again", process=group.name, pid=pid, reason=words, pause=group.pause)
        self._spawn(self._fork_later(group))

    async def _fork_later(self, group: Group) -> None:
        pause, group.pause = group.pause, min(group.pause * 2, PAUSE_MOST)
        await asyncio.sleep(pause)
        if not group.leaving:
            self._fork(group)

    async def _replace_server(self) -> None:
        """All that it forked are gone with it, though nobody could tell us."""
        self._server_attempts += 1
        if not self._was_ready and self._server_attempts >= SERVER_ATTEMPTS_AT_START:
            self._fail(CrewError("the services can't be loaded; the log above says why"))
            return
        log.error("the fork server ended; starting another", pause=self._server_pause)
        assert self._server is not None and self._writer is not None
        self._writer.close()
        with contextlib.suppress(ProcessLookupError):
            self._server.kill()
        await self._server.wait()
        for task in self._tasks:
            task.cancel()
        for group in self._groups.values():
            group.pid = None
            group.gone.set()
        await asyncio.sleep(self._server_pause)
        self._server_pause = min(self._server_pause * 2, PAUSE_MOST)
        if self._stopping:
            return
        await self.open()
        for group in self._groups.values():
            if group.attempts and not group.leaving:
                self._fork(group)

    def _fail(self, failure: CrewError) -> None:
        if not self.failed.done():
            self.failed.set_result(failure)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- readiness

    async def _until_ready(self, group: Group) -> None:
        """Its listeners are open and its checks all say `ok`."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                await group.ready.wait()
                while not await _answers_ready(group.health_port):
                    await asyncio.sleep(CHECK_SECONDS)
                    await group.ready.wait()
        except TimeoutError:
            raise CrewError(f"{group.name} was not ready in {READY_SECONDS:.0f} s; see its log above") from None


async def _answers_ready(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    try:
        writer.write(b"GET /readyz HTTP/1.1\r\n\r\n")
        return (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False
    finally:
        writer.close()
