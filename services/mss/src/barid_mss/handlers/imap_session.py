"""The driver of one IMAP session: events from the core, each to its handler, news of the mailbox before each tagged OK.

Rules:
- What handlers write goes through the core (`write`), so BYE is the last word whenever it is said.
- EXPUNGE is announced only where the running command allows it (`allows_expunge`); in IDLE everything is, at once.
- Of what may have been done or not, no tagged answer is given: BYE, so that the client looks (`asking.py`).
- A session whose mailbox or account is gone ends by BYE at the next command boundary; IDLE is one.
"""

import asyncio
import time

from barid_protocols.imap import codes, responses
from barid_protocols.imap.commands.append import AppendAborted, AppendChunk, AppendEnd, AppendStarted
from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.commands.compress import Compress
from barid_protocols.imap.commands.idle import Idle, IdleDone
from barid_protocols.imap.commands.starttls import StartTls
from barid_protocols.imap.commands.unauthenticate import Unauthenticate
from barid_protocols.imap.connection import Event, ServerConnection
from barid_protocols.imap.gate import ServerProfile
from barid_protocols.imap.responses import Completion, no, ok
from barid_protocols.imap.states import allows_expunge
from barid_runtime.logging import get_logger
from barid_runtime.networks import is_loopback

from ..policy import patience
from ..ports import Door, Wire
from . import commands
from .asking import OutcomeUnknown
from .desk import Desk
from .driver import Driver
from .problems import answer_to
from .selection import Selection
from .uploading import Upload

log = get_logger("mss.imap")


def profile_of(desk: Desk, door: Door, ip: str) -> ServerProfile:
    return ServerProfile(
        tls_active=door.implicit_tls,
        plaintext_allowed=desk.settings.allow_plaintext and is_loopback(ip),
        append_limit=desk.settings.max_append,
        greeting=f"{desk.settings.hostname} Barid IMAP is ready",
    )


class ImapSession(Driver):
    """Implements ports.Conversation, and `selection.Audience` for the mailbox that it has selected."""

    login_patience = patience.LOGIN
    idle_patience = patience.IMAP_IDLE

    def __init__(self, desk: Desk, wire: Wire, door: Door) -> None:
        self.core = ServerConnection(profile_of(desk, door, wire.ip))
        super().__init__(desk, wire, door, self.core)
        self.login = ""
        self.selection: Selection | None = None
        self._upload: Upload | None = None
        self._idling = False
        self._deflating = False
        self._telling = False
        self._told_at = 0.0

    # Driver

    @property
    def busy(self) -> bool:
        return self.core.busy and not self._idling

    async def pump(self) -> None:
        core = self.core
        answered = False
        while (event := core.next_event()) is not None:
            if answered and isinstance(event, Command):
                # A pipeline may ask for megabytes with every line: what was answered leaves first, and others get on.
                await self.room()
            elif self.wire.clogged:
                await self.wire.drained()
            answered = True
            await self._answer(event)
            if not self.busy:
                self.settle()
        self.wire.write(core.data_to_send())
        if core.closing:
            self.wire.close()

    def settle(self) -> None:
        if self.draining:
            self.end("The server is going down; come back")
        elif self.expelled:
            self.end(self.expelled)
        elif self.selection is not None and self.selection.view.gone:
            self.end("The selected mailbox was deleted")

    def end(self, text: str) -> None:
        if not self.core.closing:
            self.wire.write(self.core.bye(text, codes.UNAVAILABLE if self.draining else b""))
            self.wire.close()

    async def clean_up(self) -> None:
        self.deselect()
        upload, self._upload = self._upload, None
        if upload is not None:
            await upload.discard()
        await super().clean_up()

    def unclogged(self) -> None:
        self.has_news()

    def sweep(self, now: float) -> None:
        super().sweep(now)
        silent = self._idling and now - self._told_at > patience.STILL_HERE
        if silent and not self.wire.clogged and not self.core.closing:
            self._told_at = now
            self.write(responses.untagged_ok("Still here"))
            self.wire.flush()

    # for handlers

    def write(self, *lines: bytes) -> None:
        """Untagged data of the command that runs."""
        self.wire.write(self.core.send(*lines))

    def poll(self, command: bytes) -> None:
        """Announce what may be announced now."""
        if self.selection is not None:
            lines = self.selection.selected.poll(allows_expunge(command))
            if lines:
                self.write(*lines)

    def select(self, selection: Selection) -> None:
        self.deselect()
        self.selection = selection

    def deselect(self) -> None:
        selection, self.selection = self.selection, None
        if selection is not None:
            selection.close()

    # selection.Audience

    def has_news(self) -> None:
        """In IDLE it is told at the end of this turn of the loop, so that a batch of deliveries is one write."""
        if self._idling and not self._telling:
            self._telling = True
            asyncio.get_running_loop().call_soon(self._tell)

    def mailbox_gone(self) -> None:
        if not self.busy:
            self.settle()

    def _tell(self) -> None:
        self._telling = False
        # A client that reads nothing is told when it does; until then the news stay in the snapshot, which is bounded.
        if self._idling and self.selection is not None and not self.wire.clogged:
            lines = self.selection.selected.poll(True)
            if lines:
                self._told_at = asyncio.get_running_loop().time()
                self.write(*lines)
                self.wire.flush()

    # within

    async def _answer(self, event: Event) -> None:
        match event:
            case Idle():
                self._idling = True
                self._told_at = asyncio.get_running_loop().time()
                self.wire.write(self.core.data_to_send())
                self._tell()
            case IdleDone():
                self._idling = False
                self.poll(b"IDLE")
                self._complete(b"IDLE", ok("Idled"))
            case AppendStarted() | AppendChunk() | AppendEnd() | AppendAborted():
                await self._append(event)
            case StartTls():
                self._complete(b"STARTTLS", ok("Begin TLS"))
                if await self.wire.start_tls():
                    self.core.tls_started()
            case Compress():
                self._compress()
            case _:
                await self._command(event)
                if isinstance(event, Unauthenticate) and self.account is None:
                    self.wire.deflate(False)
                    self._deflating = False

    def _compress(self) -> None:
        """The OK itself goes as it is (RFC 4978 §3)."""
        if self._deflating:
            self._complete(b"COMPRESS", no("Compression is on already", codes.COMPRESSIONACTIVE))
            return
        self._complete(b"COMPRESS", ok("Compressing"))
        self.wire.deflate(True)
        self._deflating = True

    async def _command(self, command: Command) -> None:
        began = time.perf_counter()
        selection = self.selection
        if self.core.condstore and selection is not None and not selection.selected.condstore:
            self.write(selection.selected.enable_condstore())
        try:
            completion = await commands.run(self, command)
            self.poll(command.name)
        except ConnectionError:
            raise
        except OutcomeUnknown as error:
            self._end_without_answer(command.name, error)
            return
        except Exception as error:
            completion = answer_to(error, command.name)
            if commands.deselects(command):
                self.deselect()
            self.poll(command.name)
        self._complete(command.name, completion)
        self.desk.measures.seconds("imap", command.name.decode("ascii")).observe(time.perf_counter() - began)

    async def _append(self, event: AppendStarted | AppendChunk | AppendEnd | AppendAborted) -> None:
        upload = self._upload
        name = b"APPEND" if upload is None else upload.name
        try:
            match event:
                case AppendStarted():
                    name = event.name
                    if upload is not None and event.follows:
                        await upload.follow(event)
                    else:
                        self._upload = upload = Upload(self, event)
                        await upload.begin()
                    self.wire.write(self.core.accept_append())
                    return
                case AppendChunk(data):
                    assert upload is not None
                    await upload.add(data)
                    return
                case AppendEnd():
                    assert upload is not None
                    completion = await upload.finish()
                    self.poll(name)
                case AppendAborted():
                    self._upload = None
                    if upload is not None:
                        await upload.discard()
                    return
        except ConnectionError:
            raise
        except OutcomeUnknown as error:
            # `clean_up` lets go of what has come.
            self._end_without_answer(name, error)
            return
        except Exception as error:
            completion = answer_to(error, name)
        self._upload = None
        if upload is not None:
            await upload.discard()
        self._complete(name, completion)

    def _end_without_answer(self, name: bytes, error: OutcomeUnknown) -> None:
        command = name.decode("ascii")
        log.warning("outcome unknown", command=command, account=self.account, reason=str(error))
        self.desk.measures.command("imap", command, "UNKNOWN").inc()
        self.end(f"Nobody can say whether {command} was done; look before you repeat it")

    def _complete(self, name: bytes, completion: Completion) -> None:
        self.desk.measures.command("imap", name.decode("ascii"), completion.status.name).inc()
        self.wire.write(self.core.send(completion))
