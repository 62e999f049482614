"""A host of one process and no disk, just enough to hold a conversation with the core, and the reader of dialogues."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from barid_protocols.imap import codes, responses, search
from barid_protocols.imap import fetch_responses as parts
from barid_protocols.imap.changes import Changes, Columns
from barid_protocols.imap.commands import (
    append,
    authenticate,
    base,
    check,
    client_id,
    close,
    compress,
    copy,
    create,
    delete,
    enable,
    expunge,
    fetch,
    idle,
    login,
    logout,
    move,
    namespace,
    noop,
    rename,
    select,
    sort,
    starttls,
    status,
    store,
    subscribe,
    thread,
    unauthenticate,
    unselect,
    unsubscribe,
)
from barid_protocols.imap.commands import list as listing
from barid_protocols.imap.commands import search as search_command
from barid_protocols.imap.connection import ServerConnection
from barid_protocols.imap.errors import SyntaxProblem
from barid_protocols.imap.fetch import Attribute, BinarySection, BodySection, Specifier
from barid_protocols.imap.flags import DELETED, SEEN, FlagTable, parse_flags
from barid_protocols.imap.gate import ServerProfile
from barid_protocols.imap.listing import Entry, listed
from barid_protocols.imap.mailbox_names import subscribed_matches
from barid_protocols.imap.responses import Completion, bad, no, ok
from barid_protocols.imap.search_predicates import compile_key
from barid_protocols.imap.selected import SelectedMailbox
from barid_protocols.imap.selected_search import candidates, rows, search_line, search_snapshot
from barid_protocols.imap.sequence import SequenceSet
from barid_protocols.imap.sorting import sorted_by
from barid_protocols.imap.states import allows_expunge
from barid_protocols.imap.stored_flags import stored_lines
from barid_protocols.imap.threads import thread_line, threads
from barid_protocols.imap.vanished import Resync, vanished, vanished_line
from barid_protocols.mime.headers import HeaderBlock

NOW = 784_111_777 + 3600
"""An hour after the messages came."""

DIALOGUES = Path(__file__).parent / "dialogues"


@dataclass
class Message:
    code: int
    modseq: int
    data: bytes
    received: int = 784_111_777  # Sun, 06 Nov 1994 08:49:37 GMT


@dataclass
class Mailbox:
    """The truth, with one listener at most."""

    uidvalidity: int
    table: FlagTable = field(default_factory=FlagTable)
    messages: dict[int, Message] = field(default_factory=dict)
    uidnext: int = 1
    modseq: int = 1
    recent_from: int = 1
    tombstones: dict[int, int] = field(default_factory=dict)
    forgotten: int = 0

    def expunged_since(self, modseq: int) -> list[int] | None:
        """None: nobody remembers."""
        if modseq < self.forgotten:
            return None
        return [uid for uid, at in self.tombstones.items() if at > modseq]

    def rows(self) -> list[tuple[int, int, int]]:
        return [(uid, message.code, message.modseq) for uid, message in sorted(self.messages.items())]

    def add(self, data: bytes, flags: bytes = b"", received: int | None = None) -> Changes:
        self.modseq += 1
        parsed = parse_flags(flags.split())
        code = self.table.code(parsed.mask, parsed.keywords)
        message = Message(code, self.modseq, data)
        if received is not None:
            message.received = received
        uid, self.uidnext = self.uidnext, self.uidnext + 1
        self.messages[uid] = message
        return Changes(self.modseq, added=[(uid, code, self.modseq)])

    def flag(self, uid: int, flags: bytes) -> Changes:
        self.modseq += 1
        parsed = parse_flags(flags.split())
        message = self.messages[uid]
        message.code, message.modseq = self.table.code(parsed.mask, parsed.keywords), self.modseq
        return Changes(self.modseq, changed=[(uid, message.code, message.modseq)])

    def remove(self, uids: list[int]) -> Changes:
        self.modseq += 1
        for uid in uids:
            del self.messages[uid]
            self.tombstones[uid] = self.modseq
        return Changes(self.modseq, expunged=uids)


@dataclass
class Found:
    """A row for SEARCH."""

    seq: int
    uid: int
    mask: int
    keywords: frozenset[str]
    recent: bool
    modseq: int
    message: Message

    @property
    def size(self) -> int:
        return len(self.message.data)

    @property
    def received(self) -> int:
        return self.message.received

    @property
    def email_id(self) -> str:
        return f"M{self.uid}"

    @property
    def internal_date(self) -> date:
        return datetime.fromtimestamp(self.message.received, UTC).date()

    sent_date = None

    @property
    def block(self) -> HeaderBlock:
        return HeaderBlock(self.message.data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")

    def header(self, name: str) -> bytes | None:
        pattern = rb"(?im)^" + re.escape(name.encode()) + rb":[ \t]*(.*?)\r?$"
        values = re.findall(pattern, self.message.data.partition(b"\r\n\r\n")[0])
        return b"\r\n".join(values) if values else None

    def body_contains(self, needle: str) -> bool:
        return needle in self.message.data.partition(b"\r\n\r\n")[2].decode("utf-8", "replace").casefold()

    def text_contains(self, needle: str) -> bool:
        return needle in self.message.data.decode("utf-8", "replace").casefold()


Answer = tuple[bytes | Completion, ...] | list[bytes | Completion]


class Host:
    """Answers events as mss does, from memory."""

    def __init__(self, **profile: object) -> None:
        settings = {"tls_active": True, "greeting": "ready", "append_limit": 1000, **profile}
        self.conn = ServerConnection(ServerProfile(**settings))  # type: ignore[arg-type]
        self.mailboxes: dict[str, Mailbox] = {"INBOX": Mailbox(1), "Sent": Mailbox(2)}
        self.subscribed = {"INBOX", "Sent"}
        self.uses = {"Sent": responses.MailboxAttribute.SENT}
        self.selected: SelectedMailbox | None = None
        self.selected_name = ""
        self.pending_append: list[tuple[append.AppendStarted, bytearray]] = []
        self.events: list[object] = []
        self.compressed = False
        """Only said: the layer is the transport's."""

    # The wire

    def start(self) -> bytes:
        return self.conn.greeting()

    def feed(self, data: bytes) -> bytes:
        """What the server says to ``data``."""
        self.conn.receive_data(data)
        out = b""
        while (event := self.conn.next_event()) is not None:
            self.events.append(event)
            out += self.conn.data_to_send()
            out += self.answer(event)
        return out + self.conn.data_to_send()

    def announce(self) -> bytes:
        """What may be said at any time: in IDLE all, else nothing."""
        if self.selected is None or not isinstance(self.events[-1], idle.Idle):
            return b""
        return self.conn.send(*self.selected.poll(True))

    def change(self, name: str, changes: Changes) -> None:
        if self.selected is not None and self.selected_name == name:
            self.selected.apply(changes)

    # Events

    def answer(self, event: object) -> bytes:
        match event:
            case append.AppendStarted():
                if event.mailbox not in self.mailboxes:
                    return self.conn.send(no("No such mailbox", codes.TRYCREATE))
                self.pending_append = [*(self.pending_append if event.follows else []), (event, bytearray())]
                return self.conn.accept_append()
            case append.AppendChunk(data):
                self.pending_append[-1][1].extend(data)
                if b"refuse me" in self.pending_append[-1][1]:
                    self.pending_append = []
                    return self.conn.send(no("The disk is full", codes.UNAVAILABLE))
                return b""
            case append.AppendAborted():
                self.pending_append = []
                return b""
            case append.AppendEnd():
                return self.conn.send(*self._append())
            case idle.Idle():
                return self.announce()
            case idle.IdleDone():
                return self.conn.send(ok("Idle over"))
            case base.Command():
                opening = []
                if self.conn.condstore and self.selected is not None and not isinstance(event, select.Select):
                    opening = [self.selected.enable_condstore()]
                try:
                    answer = [*opening, *self.command(event)]
                except SyntaxProblem as error:
                    answer = [*opening, bad(error.text)]
                if self.selected is not None and not isinstance(event, select.Select):
                    answer[-1:-1] = self.selected.poll(allows_expunge(event.name))
                return self.conn.send(*answer)
        raise AssertionError(event)

    def _append(self) -> Answer:
        uids: list[int] = []
        messages, self.pending_append = self.pending_append, []
        first = messages[0][0]
        box = self.mailboxes[first.mailbox]
        old = array("I")
        if first.replaces is not None:
            assert self.selected is not None
            old = self.selected.uids_of(self.selected.slices(first.replaces, uid=first.uid))
            if not old:
                return [no("The message is gone", codes.EXPUNGEISSUED)]
        for started, data in messages:
            received = None if started.internaldate is None else int(started.internaldate.timestamp())
            changes = box.add(bytes(data), bytes(started.flags)[1:-1], received)
            self.change(started.mailbox, changes)
            uids.append(changes.added[0][0])
        code = codes.appenduid(box.uidvalidity, uids)
        lines = []
        if old:
            self.change(self.selected_name, self.mailboxes[self.selected_name].remove(list(old)))
            lines, code = [responses.untagged_ok("Replaced", code)], b""
        poll = [] if self.selected is None else self.selected.poll(True)
        return [*lines, *poll, ok("Appended", code)]

    def command(self, event: base.Command) -> Answer:
        match event:
            case login.Login():
                right = (event.user, event.password) == ("alice", "pass word")
                return (ok("Logged in") if right else no("Wrong", codes.AUTHENTICATIONFAILED),)
            case authenticate.Authenticate():
                right = (event.credentials.authcid, event.credentials.password) == ("alice", "secret")
                return (ok("Logged in") if right else no("Wrong", codes.AUTHENTICATIONFAILED),)
            case select.Select():
                return self._select(event)
            case close.Close() | unselect.Unselect():
                if isinstance(event, close.Close):
                    self._expunge(None)
                self.selected = None
                return (ok("Closed"),)
            case create.Create():
                if event.mailbox in self.mailboxes:
                    return (no("It exists", codes.ALREADYEXISTS),)
                if event.use in self.uses.values():
                    return (no("Another mailbox has that use", codes.USEATTR),)
                self.mailboxes[event.mailbox] = Mailbox(len(self.mailboxes) + 1)
                if event.use is not None:
                    self.uses[event.mailbox] = event.use
                return (ok("Created", codes.mailboxid(self._id(event.mailbox))),)
            case delete.Delete() | status.StatusOf() | rename.Rename() if self._of(event) not in self.mailboxes:
                return (no("No such mailbox", codes.NONEXISTENT),)
            case delete.Delete():
                del self.mailboxes[event.mailbox]
                return (ok("Deleted"),)
            case rename.Rename():
                self.mailboxes[event.target] = self.mailboxes.pop(event.source)
                return (ok("Renamed"),)
            case subscribe.Subscribe():
                self.subscribed.add(event.mailbox)
                return (ok("Subscribed"),)
            case unsubscribe.Unsubscribe():
                self.subscribed.discard(event.mailbox)
                return (ok("Unsubscribed"),)
            case listing.List():
                return self._list(event)
            case status.StatusOf():
                return self._status(event)
            case namespace.Namespace():
                return (responses.namespace(), ok("Done"))
            case client_id.Id():
                return (responses.server_id({"name": "Barid"}), ok("Done"))
            case enable.Enable() | noop.Noop() | check.Check() | logout.Logout() | starttls.StartTls():
                return (ok("Done"),)
            case unauthenticate.Unauthenticate():
                self.selected = None
                return (ok("Good-bye, and welcome"),)
            case compress.Compress():
                if self.compressed:
                    return (no("It is on already", codes.COMPRESSIONACTIVE),)
                self.compressed = True
                return (ok("Compressing"),)
            case fetch.Fetch():
                return self._fetch(event)
            case store.Store():
                return self._store(event)
            case search_command.Search():
                return self._search(event)
            case copy.Copy() | move.Move():
                return self._copy(event)
            case expunge.Expunge():
                self._expunge(event.uids)
                lines = self.selected.poll(True)
                code = codes.highestmodseq(self.selected.highest_modseq)
                return (*lines, ok("Expunged", code if lines and b"QRESYNC" in self.conn.enabled else b""))
        raise AssertionError(event)

    @staticmethod
    def _of(event: base.Command) -> str:
        return event.source if isinstance(event, rename.Rename) else event.mailbox  # type: ignore[attr-defined]

    def _select(self, event: select.Select) -> Answer:
        self.selected = None
        box = self.mailboxes.get(event.mailbox)
        if box is None:
            return (no("No such mailbox", codes.NONEXISTENT),)
        self.selected_name = event.mailbox
        self.selected = SelectedMailbox(
            Columns.of(box.rows()),
            box.table,
            highest_modseq=box.modseq,
            recent_from=box.recent_from,
            read_only=event.examine,
            condstore=self.conn.condstore,
            enabled=self.conn.enabled,
        )
        if not event.examine:
            box.recent_from = box.uidnext
        lines = self.selected.opening_lines(uidvalidity=box.uidvalidity, uidnext=box.uidnext)
        if self.selected.rev2:
            lines += responses.list_line(event.mailbox, utf8=True)
        if event.resync is not None and event.resync.uidvalidity == box.uidvalidity:
            lines += self._resync(event.resync, box)
        return (lines, ok("Selected", codes.READ_ONLY if event.examine else codes.READ_WRITE))

    def _resync(self, asked: Resync, box: Mailbox) -> bytes:
        selected = self.selected
        assert selected is not None
        gone = box.expunged_since(asked.modseq)
        through = asked.known_through(selected.uids)
        ranges = vanished(selected.uids, gone, asked.known, uidnext=box.uidnext, above=through)
        known = SequenceSet(((1, box.uidnext),)) if asked.known is None else asked.known
        slices = known.slices_of_uids(selected.uids)
        return vanished_line(ranges, earlier=True) + selected.fetch_flags(slices, uid=True, changedsince=asked.modseq)

    def _list(self, event: listing.List) -> Answer:
        if event.asks_separator:
            return (responses.hierarchy_line(), ok("Done"))
        if event.lsub:
            (matcher,) = event.matchers()
            lines = [
                responses.lsub_line(
                    name,
                    () if real else (responses.MailboxAttribute.NOSELECT,),
                    utf8=self.conn.profile.utf8,
                )
                for name, real in subscribed_matches(self.subscribed, matcher)
            ]
            return (*lines, ok("Done"))
        entries = [
            Entry(
                name,
                exists=name in self.mailboxes,
                selectable=name in self.mailboxes,
                subscribed=name in self.subscribed,
                use=self.uses.get(name),
            )
            for name in sorted(self.subscribed | set(self.mailboxes))
        ]
        lines = []
        for each in listed(event, entries, utf8=self.conn.profile.utf8):
            lines.append(each.line)
            if event.status and each.entry.selectable:
                lines.append(self._status_line(each.entry.name, event.status))
        return (*lines, ok("Done"))

    def _status(self, event: status.StatusOf) -> Answer:
        return (self._status_line(event.mailbox, event.items), ok("Done"))

    def _id(self, name: str) -> str:
        return f"F{self.mailboxes[name].uidvalidity}"

    def _status_line(self, name: str, items: tuple[bytes, ...]) -> bytes:
        box = self.mailboxes[name]
        values = {
            status.MESSAGES: len(box.messages),
            status.RECENT: sum(uid >= box.recent_from for uid in box.messages),
            status.UIDNEXT: box.uidnext,
            status.UIDVALIDITY: box.uidvalidity,
            status.UNSEEN: sum(not box.table.mask(message.code) & SEEN for message in box.messages.values()),
            status.HIGHESTMODSEQ: box.modseq,
            status.APPENDLIMIT: 1000,
            status.SIZE: sum(len(message.data) for message in box.messages.values()),
            status.DELETED: sum(bool(box.table.mask(each.code) & DELETED) for each in box.messages.values()),
            status.MAILBOXID: self._id(name),
        }
        return responses.status_line(name, {item: values[item] for item in items}, utf8=self.conn.profile.utf8)

    def _fetch(self, event: fetch.Fetch) -> Answer:
        selected, box = self.selected, self.mailboxes[self.selected_name]
        assert selected is not None
        slices = selected.slices(event.messages, uid=event.uid)
        if event.page is not None:
            slices = event.page.cut_slices(slices)
        early = []
        if event.vanished:
            gone = box.expunged_since(event.changedsince)
            ranges = vanished(selected.uids, gone, event.messages, uidnext=box.uidnext)
            early = [vanished_line(ranges, earlier=True)]
        if set(event.items) <= {Attribute.FLAGS, Attribute.UID, Attribute.MODSEQ} and Attribute.FLAGS in event.items:
            lines = selected.fetch_flags(
                slices,
                uid=Attribute.UID in event.items,
                modseq=Attribute.MODSEQ in event.items,
                changedsince=event.changedsince,
            )
            return (*early, lines, ok("Fetched"))
        lines = [*early, selected.catch_up(slices)]
        gone = False
        for index in (index for start, stop in slices for index in range(start, stop)):
            message = box.messages.get(selected.uids[index])
            if message is None:
                gone = True
                continue
            made = [self._item(item, selected, index, message) for item in event.items]
            lines.append(parts.fetch_line(selected.number(index), made, selected.word))
        done = no("Some messages are gone", codes.EXPUNGEISSUED) if gone else ok("Fetched")
        return (*lines, done)

    @staticmethod
    def _item(item: object, selected: SelectedMailbox, index: int, message: Message) -> bytes:
        match item:
            case Attribute.UID:
                return parts.uid_part(selected.uids[index])
            case Attribute.FLAGS:
                return parts.flags_part(selected.flag_text(index))
            case Attribute.MODSEQ:
                return parts.modseq_part(selected.modseqs[index])
            case Attribute.RFC822_SIZE:
                return parts.size_part(len(message.data))
            case Attribute.INTERNALDATE:
                return parts.internaldate_part(message.received)
            case Attribute.EMAILID:
                return parts.emailid_part(f"M{selected.uids[index]}")
            case Attribute.THREADID:
                return parts.THREADID_NONE
            case Attribute.PREVIEW:
                return parts.preview_part("Grüße, Alice")
            case BinarySection(size=True):
                return parts.binary_size_part(item, 3)
            case BinarySection(path=(1,)):
                start, stop = item.window(3)
                return parts.binary_part(item, b"a\0b"[start:stop])
            case BinarySection():
                return parts.binary_part(item, None)
            case Attribute.ENVELOPE:
                return parts.envelope_part(b"(stored)")
            case Attribute.BODY:
                return parts.body_part(b"(stored)")
            case Attribute.BODYSTRUCTURE:
                return parts.bodystructure_part(b"(stored)")
            case BodySection(path=()):
                header, blank, text = message.data.partition(b"\r\n\r\n")
                value = {Specifier.HEADER: header + blank, Specifier.TEXT: text}.get(item.specifier, message.data)
                if item.specifier is Specifier.HEADER_FIELDS:
                    wanted = {name.lower() for name in item.fields}
                    kept = [line for line in header.split(b"\r\n") if line.partition(b":")[0].lower() in wanted]
                    value = b"".join(line + b"\r\n" for line in [*kept, b""])
                start, stop = item.window(len(value))
                return parts.section_part(item, value[start:stop])
            case BodySection():
                return parts.section_part(item, None)
        raise AssertionError(item)

    def _store(self, event: store.Store) -> Answer:
        selected, box = self.selected, self.mailboxes[self.selected_name]
        assert selected is not None
        rows, modified, gone = [], [], False
        for start, stop in selected.slices(event.messages, uid=event.uid):
            for index in range(start, stop):
                uid = selected.uids[index]
                message = box.messages.get(uid)
                if message is None:
                    gone = True
                    continue
                if event.unchangedsince is not None and message.modseq > event.unchangedsince:
                    modified.append(uid if event.uid else index + 1)
                    continue
                mask, keywords = event.action.applied(
                    box.table.mask(message.code), box.table.keywords(message.code), event.flags
                )
                code = box.table.code(mask, keywords)
                if code != message.code:
                    box.modseq += 1
                    message.code, message.modseq = code, box.modseq
                rows.append((uid, message.code, message.modseq))
        selected.apply(Changes(box.modseq, changed=rows))
        lines = stored_lines(selected, rows, event, complete=not gone)
        if gone:
            return (lines, no("Some messages are gone", codes.EXPUNGEISSUED))
        return (lines, ok("Stored", codes.modified(modified) if modified else b""))

    def _search(self, event: search_command.Search) -> Answer:
        selected, box = self.selected, self.mailboxes[self.selected_name]
        assert selected is not None
        event = replace(event, key=search.with_saved(event.key, selected.saved))
        if not search.needs(event.key) and type(event) is search_command.Search:
            numbers, _ = search_snapshot(selected, event.key, uid=False)
            return (search_line(selected, event, numbers), ok("Searched"))
        last_uid = selected.uids[-1] if selected.uids else 0
        test = compile_key(event.key, last_number=len(selected), last_uid=last_uid, now=NOW)
        hits = []
        for row in rows(selected, candidates(selected, event.key)):
            full = Found(row.seq, row.uid, row.mask, row.keywords, row.recent, row.modseq, box.messages[row.uid])
            if test(full):
                hits.append(full)
        if isinstance(event, thread.Thread):
            roots = threads(event.algorithm, [(hit.uid if event.uid else hit.seq, hit) for hit in hits])
            return (thread_line(roots), ok("Threaded"))
        if isinstance(event, sort.Sort):
            hits = sorted_by(event.criteria, hits)
        return (search_line(selected, event, [hit.seq for hit in hits]), ok("Searched"))

    def _copy(self, event: copy.Copy | move.Move) -> Answer:
        selected, box = self.selected, self.mailboxes[self.selected_name]
        assert selected is not None
        target = self.mailboxes.get(event.mailbox)
        if target is None:
            return (no("No such mailbox", codes.TRYCREATE),)
        uids = list(selected.uids_of(selected.slices(event.messages, uid=event.uid)))
        new = []
        for uid in uids:
            message = box.messages[uid]
            changes = target.add(message.data, box.table.texts[message.code][1:-1].encode())
            self.change(event.mailbox, changes)
            new.append(changes.added[0][0])
        code = codes.copyuid(target.uidvalidity, uids, new) if uids else b""
        if isinstance(event, copy.Copy):
            return (ok("Copied", code),)
        self.change(self.selected_name, box.remove(uids))
        return (responses.untagged_ok("Moved", code), ok("Done"))

    def _expunge(self, only: SequenceSet | None) -> None:
        selected, box = self.selected, self.mailboxes[self.selected_name]
        assert selected is not None
        if selected.read_only:
            return
        uids = [uid for uid, message in sorted(box.messages.items()) if box.table.mask(message.code) & DELETED]
        if only is not None:
            uids = [uid for uid in uids if only.contains(uid, selected.uids[-1])]
        if uids:
            self.change(self.selected_name, box.remove(uids))


# Dialogues


@dataclass
class Turn:
    """What the client sends at once (bytes) or what happens elsewhere (str), and the lines the server then says."""

    line: int
    action: bytes | str
    expected: list[str] = field(default_factory=list)


def read_dialogue(path: Path) -> tuple[dict[str, object], list[Turn]]:
    """``C:`` the client's lines, ``S:`` the server's (``...`` stands for anything), ``!:`` what others do,
    ``@:`` settings of the listener, ``#`` a comment."""
    settings: dict[str, object] = {}
    turns = [Turn(0, "start")]
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        kind, _, rest = line.partition(": ")
        if not line or line.startswith("#"):
            continue
        if kind == "@":
            name, _, value = rest.partition("=")
            settings[name] = {"yes": True, "no": False}.get(value, value)
            continue
        if kind == "S":
            turns[-1].expected.append(rest)
        elif kind == "!":
            turns.append(Turn(number, rest))
        elif kind in ("C", "C:"):
            said = rest.encode() + b"\r\n"
            before = turns[-1]
            if isinstance(before.action, bytes) and not before.expected:
                before.action += said
            else:
                turns.append(Turn(number, said))
        else:
            raise AssertionError(f"{path}:{number}: {line}")
    return settings, turns


def elsewhere(host: Host, what: str) -> bytes:
    """``start``, ``tls``, ``deliver BOX FLAGS``, ``flag BOX UID FLAGS``, ``expunge BOX UID…``, ``forget BOX``,
    ``bye``."""
    verb, *words = what.split()
    match verb, words:
        case "start", []:
            return host.start()
        case "tls", []:
            host.conn.tls_started()
            return b""
        case "forget", [name]:
            host.mailboxes[name].forgotten = host.mailboxes[name].modseq
            host.mailboxes[name].tombstones.clear()
        case "bye", []:
            return host.conn.bye("Shutting down")
        case "deliver", [name, *flags]:
            message = b"From: bob@example.org\r\nSubject: hello\r\n\r\nHello, Alice.\r\n"
            host.change(name, host.mailboxes[name].add(message, " ".join(flags).encode()))
        case "flag", [name, uid, *flags]:
            host.change(name, host.mailboxes[name].flag(int(uid), " ".join(flags).encode()))
        case "expunge", [name, *uids]:
            host.change(name, host.mailboxes[name].remove([int(uid) for uid in uids]))
        case _:
            raise AssertionError(what)
    return host.announce() if host.events else b""


def play(path: Path, cut: Callable[[bytes], list[bytes]]) -> None:
    """Hold the dialogue, the client's bytes cut by ``cut``; every line of the server must be as written."""
    settings, turns = read_dialogue(path)
    host = Host(**settings)
    for turn in turns:
        if isinstance(turn.action, str):
            said = elsewhere(host, turn.action)
        else:
            said = b"".join(host.feed(chunk) for chunk in cut(turn.action))
        lines = said.decode("utf-8").split("\r\n")
        assert lines.pop() == "", f"{path.name}:{turn.line}: the server stopped inside of a line"
        if turn.expected and turn.expected[-1] == "(closed)":
            assert host.conn.closing, f"{path.name}:{turn.line}: the server did not hang up"
            lines.append("(closed)")
        for line, expected in zip(lines, turn.expected, strict=False):
            pattern = ".*".join(map(re.escape, expected.split("...")))
            assert re.fullmatch(pattern, line), (
                f"{path.name}:{turn.line}: expected {expected!r}, the server said {line!r}"
            )
        assert len(lines) == len(turn.expected), f"{path.name}:{turn.line}: the server said {lines}"


@pytest.fixture
def host() -> type[Host]:
    return Host


@pytest.fixture(scope="session")
def new_host() -> type[Host]:
    """The class itself: property tests make one a case."""
    return Host


@pytest.fixture
def play_dialogue() -> Callable[[Path, Callable[[bytes], list[bytes]]], None]:
    return play
