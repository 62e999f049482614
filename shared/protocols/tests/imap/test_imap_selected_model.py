"""The snapshot against a naive client: whatever happens elsewhere, whenever the session polls, the two agree.

The client is as simple as RFC 3501 lets it be: a list of messages, changed by the lines that it reads and by nothing
else (except its own silent STOREs). The truth is a dictionary. News may be late, doubled, or overtaken by a resync.
"""

import re
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from barid_protocols.imap.changes import Changes, Columns
from barid_protocols.imap.commands.store import Store, StoreAction
from barid_protocols.imap.flags import FlagSet, FlagTable
from barid_protocols.imap.selected import SelectedMailbox
from barid_protocols.imap.sequence import SequenceSet
from barid_protocols.imap.stored_flags import stored_lines

FETCH = re.compile(rb"\* (\d+) FETCH \((?:UID (\d+) ?)?(?:FLAGS \(([^)]*)\) ?)?(?:MODSEQ \((\d+)\))?\)")
masks = st.integers(0, 31)
keyword_sets = st.frozensets(st.sampled_from(["$Junk", "$Work", "Label"]), max_size=2)


@dataclass
class Known:
    """One message as the client sees it; None where nobody told."""

    uid: int | None = None
    flags: frozenset[bytes] | None = None


class NaiveClient:
    def __init__(self, count: int) -> None:
        self.messages = [Known() for _ in range(count)]
        self.flag_names: set[bytes] = set()
        self.recent = 0

    def read(self, data: bytes, *, expunge_allowed: bool) -> None:
        for line in data.split(b"\r\n")[:-1]:
            if line.endswith(b" EXPUNGE"):
                assert expunge_allowed
                del self.messages[int(line.split()[1]) - 1]
            elif line.endswith(b" EXISTS"):
                count = int(line.split()[1])
                assert count >= len(self.messages)
                self.messages += [Known() for _ in range(count - len(self.messages))]
            elif line.endswith(b" RECENT"):
                self.recent = int(line.split()[1])
            elif line.startswith(b"* FLAGS ("):
                self.flag_names = set(line[9:-1].split())
            elif not line.startswith(b"* OK "):
                self.read_fetch(line)

    def read_fetch(self, line: bytes) -> None:
        match = FETCH.fullmatch(line)
        assert match is not None, line
        message = self.messages[int(match[1]) - 1]
        if match[2] is not None:
            assert message.uid in (None, int(match[2]))
            message.uid = int(match[2])
        if match[3] is not None:
            message.flags = frozenset(match[3].split()) - {rb"\Recent"}
            assert {flag for flag in message.flags if not flag.startswith(b"\\")} <= self.flag_names

    def store(self, index: int, action: StoreAction, names: frozenset[bytes]) -> None:
        flags = self.messages[index].flags
        if flags is None:
            return
        after = {StoreAction.REPLACE: names, StoreAction.ADD: flags | names, StoreAction.REMOVE: flags - names}
        self.messages[index].flags = after[action]


class SelectedMailboxModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.table = FlagTable()
        self.truth: dict[int, tuple[int, int]] = {uid: (0, uid) for uid in (1, 2, 3, 5)}
        self.removed: dict[int, int] = {}
        self.uidnext = 6
        self.modseq = 5
        self.news: list[Changes] = []
        self.seen: dict[int, int] = {}
        self.selected = SelectedMailbox(Columns.of(self.rows()), self.table, highest_modseq=5, recent_from=3)
        self.client = NaiveClient(4)
        self.client.recent = self.selected.recent_count

    def rows(self) -> list[tuple[int, int, int]]:
        return [(uid, code, modseq) for uid, (code, modseq) in sorted(self.truth.items())]

    def names(self, code: int) -> frozenset[bytes]:
        return frozenset(self.table.texts[code][1:-1].encode().split())

    def set(self, uid: int, code: int) -> tuple[int, int, int]:
        self.modseq += 1
        self.truth[uid] = (code, self.modseq)
        return (uid, code, self.modseq)

    # Elsewhere

    @rule(mask=masks, keywords=keyword_sets, count=st.integers(1, 3))
    def deliver(self, mask: int, keywords: frozenset[str], count: int) -> None:
        rows = []
        for _ in range(count):
            rows.append(self.set(self.uidnext, self.table.code(mask, keywords)))
            self.uidnext += 1
        self.news.append(Changes(self.modseq, added=rows))

    @precondition(lambda self: self.truth)
    @rule(data=st.data(), mask=masks, keywords=keyword_sets)
    def flag(self, data: st.DataObject, mask: int, keywords: frozenset[str]) -> None:
        uid = data.draw(st.sampled_from(sorted(self.truth)))
        self.news.append(Changes(self.modseq + 1, changed=[self.set(uid, self.table.code(mask, keywords))]))

    @precondition(lambda self: self.truth)
    @rule(data=st.data())
    def expunge(self, data: st.DataObject) -> None:
        uids = data.draw(st.sets(st.sampled_from(sorted(self.truth)), min_size=1))
        self.modseq += 1
        for uid in uids:
            del self.truth[uid]
            self.removed[uid] = self.modseq
        self.news.append(Changes(self.modseq, expunged=sorted(uids)))

    # The session hears

    @precondition(lambda self: self.news)
    @rule(twice=st.booleans())
    def hear(self, twice: bool) -> None:
        changes = self.news.pop(0)
        self.selected.apply(changes)
        if twice:
            self.selected.apply(changes)

    @rule()
    def resync(self) -> None:
        self.news.clear()
        self.selected.resync(Columns.of(self.rows()), self.modseq)

    # The client asks

    @rule(allow=st.booleans())
    def poll(self, allow: bool) -> None:
        self.client.read(b"".join(self.selected.poll(allow)), expunge_allowed=allow)

    @rule()
    def enable_condstore(self) -> None:
        self.client.read(self.selected.enable_condstore(), expunge_allowed=False)

    @precondition(lambda self: len(self.selected))
    @rule(data=st.data(), uid=st.booleans(), modseq=st.booleans())
    def fetch(self, data: st.DataObject, uid: bool, modseq: bool) -> None:
        low = data.draw(st.integers(1, len(self.selected)))
        high = data.draw(st.integers(low, len(self.selected)))
        slices = self.selected.slices(SequenceSet(((low, high),)), uid=False)
        lines = self.selected.fetch_flags(slices, uid=uid, modseq=modseq)
        self.client.read(lines, expunge_allowed=False)
        assert all(message.flags is not None for message in self.client.messages[low - 1 : high])

    @precondition(lambda self: len(self.selected))
    @rule(
        data=st.data(),
        action=st.sampled_from(StoreAction),
        mask=masks,
        keywords=keyword_sets,
        silent=st.booleans(),
        uid=st.booleans(),
    )
    def store(
        self,
        data: st.DataObject,
        action: StoreAction,
        mask: int,
        keywords: frozenset[str],
        silent: bool,
        uid: bool,
    ) -> None:
        indexes = sorted(data.draw(st.sets(st.integers(0, len(self.selected) - 1), min_size=1)))
        flags = FlagSet(mask, keywords)
        rows = []
        for index in indexes:
            number = self.selected.uids[index]
            if number not in self.truth:
                continue
            before, modseq = self.truth[number]
            code = self.table.code(*action.applied(self.table.mask(before), self.table.keywords(before), flags))
            rows.append((number, code, modseq) if code == before else self.set(number, code))
        self.news.append(Changes(self.modseq, changed=rows))
        command = Store(b"t", b"UID STORE" if uid else b"STORE", SequenceSet(()), action, flags, silent)
        complete = len(rows) == len(indexes)
        lines = stored_lines(self.selected, rows, command, complete=complete)
        if silent and complete:
            for index in indexes:
                self.client.store(index, action, self.names(self.table.code(mask, keywords)))
        self.client.read(lines, expunge_allowed=False)

    # What always holds

    @invariant()
    def client_and_session_agree(self) -> None:
        assert len(self.client.messages) == len(self.selected.uids)
        assert self.client.recent == self.selected._recent_told
        for index, message in enumerate(self.client.messages):
            assert message.uid in (None, self.selected.uids[index])
            assert message.flags in (None, self.names(self.selected.codes[index]))

    @invariant()
    def no_message_goes_back_in_time(self) -> None:
        now = dict(zip(self.selected.uids, self.selected.modseqs, strict=True))
        assert all(now[uid] >= before for uid, before in self.seen.items() if uid in now)
        self.seen = now

    @invariant()
    def highest_modseq_never_runs_ahead(self) -> None:
        told = self.selected.highest_modseq
        announced = dict(zip(self.selected.uids, self.selected.codes, strict=True))
        for uid, (code, modseq) in self.truth.items():
            if modseq <= told:
                assert announced[uid] == code
        for uid, modseq in self.removed.items():
            if modseq <= told:
                assert uid not in announced

    def teardown(self) -> None:
        while self.news:
            self.hear(False)
        self.poll(True)
        flags = [(uid, self.names(code)) for uid, (code, _) in sorted(self.truth.items())]
        assert len(self.client.messages) == len(flags)
        for message, (uid, names) in zip(self.client.messages, flags, strict=True):
            assert message.uid in (None, uid)
            assert message.flags in (None, names)
        assert self.selected.highest_modseq == self.modseq
        assert not self.selected.has_news


SelectedMailboxModel.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestSelectedMailboxAgainstANaiveClient = SelectedMailboxModel.TestCase
