"""The index against a naive model: whatever happens, in whatever order, views, counters and changes agree with it."""

import asyncio
import tempfile
from collections.abc import Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from barid_contracts.mail import AcceptedBatch
from barid_contracts.settle import Filing, SettleRequest
from barid_contracts.store import SummariesReply, ViewRequest
from barid_mailstore.adapters.tables.index import Index
from barid_mailstore.adapters.tables.store import MIGRATIONS, table_store
from barid_mailstore.adapters.tables.unit import Unit
from barid_mailstore.ports.commits import Commit
from barid_mailstore.ports.errors import Invalid
from barid_mailstore.ports.store import Store
from barid_runtime.clock import SystemClock
from barid_runtime.database.embedded import EmbeddedPostgres
from barid_runtime.database.migrations import migrate
from barid_runtime.database.port import DatabaseError
from barid_runtime.database.postgres import PostgresDatabase, open_postgres
from barid_runtime.database.sqlite import SqliteDatabase, open_database

from .databases import SCHEMA, a_database
from .desk import filed, make_mail, uids, wide

T = TypeVar("T")

BOXES = ("INBOX", "Archive", "Trash")
FLAGS = ("\\Seen", "\\Deleted", "\\Flagged", "one", "two", "three")

boxes = st.sampled_from(BOXES)
flag_lists = st.lists(st.sampled_from(FLAGS), max_size=3, unique=True)
numbers = st.none() | st.lists(st.integers(1, 12), max_size=6)


class Fails(SqliteDatabase):
    """Its next commit fails, if asked."""

    fail = False

    def _commit(self) -> None:
        if self.fail:
            self.fail = False
            self._writer.execute("ROLLBACK")
            raise_io_error()
        super()._commit()


def raise_io_error() -> None:
    import apsw

    raise apsw.IOError("the disk is gone")


class Follower:
    """A reader that knows only the events: (uid → flags), and the MODSEQ it has reached."""

    def __init__(self) -> None:
        self.rows: dict[int, int] = {}
        self.modseq = 1
        self.missed = False

    def hear(self, delta: Any) -> None:
        assert delta.previous == self.modseq
        self.modseq = delta.modseq
        self.rows.update(zip(delta.added, delta.added_flags, strict=True))
        self.rows.update(zip(delta.changed, delta.changed_flags, strict=True))
        for uid in delta.expunged:
            del self.rows[uid]


class IndexMachine(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.path = Path(self.folder.name) / "mailstore.db"
        self.run(migrate(self.path, MIGRATIONS))
        # name → uid → (names of flags, our id of the mail)
        self.model: dict[str, dict[int, tuple[frozenset[str], str]]] = {name: {} for name in BOXES}
        self.uidnext = dict.fromkeys(BOXES, 1)
        self.modseqs = dict.fromkeys(BOXES, 1)
        self.followers: dict[int, Follower] = {}
        self.past: dict[str, tuple[int, dict[int, int]]] = {}
        self.mails: list[Any] = []
        self.start()

    def start(self) -> None:
        self.database = open_database(self.path, synchronous="OFF")
        self.database.__class__ = Fails
        self.store, outbox = table_store(self.database, SystemClock())
        self.index: Index = outbox._index
        self.commit(self.store.mailboxes.touch("bob"))

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.close()
            self.runner.close()
            self.folder.cleanup()

    def close(self) -> None:
        self.run(self.database.close())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def commit(self, work: Coroutine[Any, Any, Commit[T]]) -> T:
        commit = self.run(work)
        for delta in commit.deltas:
            for mailbox, change in delta.mailboxes.items():
                self.followers.setdefault(mailbox, Follower()).hear(change)
        return commit.result

    def box_id(self, name: str) -> int:
        info = self.run(self.store.mailboxes.status("bob", name))
        assert info is not None
        return info.id

    def named(self, name: str, wanted: list[int] | None) -> list[int]:
        return sorted(uid for uid in self.model[name] if wanted is None or uid in wanted)

    def add(self, name: str, flags: frozenset[str], mail_id: str) -> int:
        uid = self.uidnext[name]
        self.uidnext[name] += 1
        self.model[name][uid] = (flags, mail_id)
        return uid

    # --- what happens

    @rule(deliveries=st.lists(st.tuples(boxes, flag_lists), min_size=1, max_size=4))
    def deliver(self, deliveries: list[tuple[str, list[str]]]) -> None:
        mails = [make_mail("bob") for _ in deliveries]
        settlements = [
            filed(mail, filings=[Filing(mailbox=name, flags=flags)])
            for mail, (name, flags) in zip(mails, deliveries, strict=True)
        ]
        request = SettleRequest(accepted=AcceptedBatch(mails=mails), settlements=settlements)
        assert self.commit(self.store.settling.settle(request)) == ["done"] * len(mails)
        for mail, (name, flags) in zip(mails, deliveries, strict=True):
            self.add(name, frozenset(flags), mail.mail_id)
        self.mails.append(request)

    @precondition(lambda self: self.mails)
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.mails))
        assert set(self.commit(self.store.settling.settle(request))) == {"repeated"}

    @rule(name=boxes, wanted=numbers, mode=st.sampled_from(["set", "add", "remove"]), flags=flag_lists)
    def flag(self, name: str, wanted: list[int] | None, mode: Any, flags: list[str]) -> None:
        reply = self.commit(self.store.messages.store("bob", self.box_id(name), wanted, mode, flags, None))
        for uid in self.named(name, wanted):
            before, mail = self.model[name][uid]
            after = {"set": frozenset(flags), "add": before | set(flags), "remove": before - set(flags)}[mode]
            self.model[name][uid] = (after, mail)
        assert uids(reply.uids) == self.named(name, wanted)

    @rule(name=boxes, wanted=numbers, only_deleted=st.booleans())
    def expunge(self, name: str, wanted: list[int] | None, only_deleted: bool) -> None:
        reply = self.commit(self.store.messages.expunge("bob", self.box_id(name), wanted, only_deleted=only_deleted))
        gone = [uid for uid in self.named(name, wanted) if not only_deleted or "\\Deleted" in self.model[name][uid][0]]
        assert uids(reply.expunged) == gone
        for uid in gone:
            del self.model[name][uid]

    @rule(name=boxes, to=boxes, wanted=st.lists(st.integers(1, 12), max_size=6), move=st.booleans())
    def copy(self, name: str, to: str, wanted: list[int], move: bool) -> None:
        reply = self.commit(self.store.copying.copy("bob", self.box_id(name), wanted, to, move=move))
        source = self.named(name, wanted)
        made = [self.add(to, *self.model[name][uid]) for uid in source]
        assert (uids(reply.source), uids(reply.target)) == (source, made)
        if move:
            for uid in source:
                del self.model[name][uid]

    @rule()
    def sweep(self) -> None:
        self.run(self.store.bodies.sweep())

    @rule(name=boxes)
    def remember(self, name: str) -> None:
        """A reader that will ask what changed since."""
        view = self.view(name)
        self.past[name] = (view.info.modseq, dict(zip(uids(view.uids), wide(view.flags), strict=True)))

    # --- what goes wrong

    @rule(name=boxes)
    def raise_in_the_middle(self, name: str) -> None:
        def work(unit: Unit) -> None:
            self.meddle(unit, name)
            raise Invalid("in the middle")

        with pytest.raises(Invalid):
            self.run(self.index.write(work, ["bob"]))

    @rule(name=boxes)
    def fail_to_commit(self, name: str) -> None:
        self.database.fail = True  # type: ignore[attr-defined]
        with pytest.raises(DatabaseError):
            self.run(self.index.write(lambda unit: self.meddle(unit, name), ["bob"]))

    @staticmethod
    def meddle(unit: Unit, name: str) -> None:
        account = unit.account("bob")
        mailbox = account.mailboxes[name]
        unit.delta(account, mailbox).added.append(mailbox.uidnext)
        mailbox.uidnext += 5
        mailbox.messages += 5
        unit.take_body()

    @rule()
    def restart(self) -> None:
        self.close()
        self.start()

    # --- what must hold

    def view(self, name: str, since: int = 0) -> Any:
        return self.run(
            self.store.views.view(ViewRequest(account="bob", mailbox=self.box_id(name), since_modseq=since))
        )

    @invariant()
    def views_agree(self) -> None:
        if not hasattr(self, "model"):
            return
        total = 0
        for name in BOXES:
            view, rows = self.view(name), self.model[name]
            info = view.info
            flags = dict(zip(uids(view.uids), wide(view.flags), strict=True))
            assert {uid: self.names_of(value, view.keywords) for uid, value in flags.items()} == {
                uid: held for uid, (held, _) in rows.items()
            }
            assert list(flags) == sorted(flags)
            assert info.uidnext == self.uidnext[name]
            assert info.messages == len(rows)
            assert info.unseen == sum("\\Seen" not in held for held, _ in rows.values())
            assert info.deleted == sum("\\Deleted" in held for held, _ in rows.values())
            assert info.modseq >= max([*wide(view.modseqs), self.modseqs[name]])
            self.modseqs[name] = info.modseq
            follower = self.followers.get(info.id, Follower())
            assert follower.rows == flags
            assert follower.modseq == info.modseq
            text = self.run(self.store.views.summaries("bob", info.id, list(rows), ["size", "body"]))
            summaries = SummariesReply.model_validate_json(text)
            assert {row.uid: row.mail_id for row in summaries.rows} == {uid: mail for uid, (_, mail) in rows.items()}
            assert info.size == sum(row.size for row in summaries.rows)
            total += info.size
            self.changes_since_agree(name, flags)
        assert self.run(self.store.quotas.usage("bob")).used == total

    def changes_since_agree(self, name: str, now: dict[int, int]) -> None:
        if name not in self.past:
            return
        since, rows = self.past[name]
        view = self.view(name, since)
        rows = rows | dict(zip(uids(view.uids), wide(view.flags), strict=True))
        gone = set(uids(view.expunged))
        assert {uid: flags for uid, flags in rows.items() if uid not in gone} == now

    @staticmethod
    def names_of(value: int, keywords: list[str]) -> frozenset[str]:
        system = {1: "\\Seen", 4: "\\Flagged", 8: "\\Deleted"}
        return frozenset(
            [name for bit, name in system.items() if value & bit]
            + [name for position, name in enumerate(keywords) if value >> 8 + position & 1]
        )


class FailsToo(PostgresDatabase):
    """The same."""

    fail = False

    async def _begin(self, batch: Any) -> bool:
        begun = await super()._begin(batch)
        if self.fail:
            self.fail = False
            raise DatabaseError("the server is gone")
        return begun


class ReplicasMachine(IndexMachine):
    """Whatever happens is asked of one of two replicas, in turn."""

    server: ClassVar[EmbeddedPostgres]
    template: ClassVar[str]

    @initialize()
    def open(self) -> None:
        self.stack = ExitStack()
        self.url = self.stack.enter_context(a_database(self.server, self.template))
        super().open()

    def start(self) -> None:
        self.databases = [self.run(open_postgres(self.url, schema=SCHEMA, name="test", readers=2)) for _ in range(2)]
        made = [table_store(database, SystemClock(), shared=True) for database in self.databases]
        self.stores = [store for store, _ in made]
        self.indexes: list[Index] = [outbox._index for _, outbox in made]
        for database in self.databases:
            database.__class__ = FailsToo
        self.turn = 0
        self.commit(self.store.mailboxes.touch("bob"))

    @property
    def store(self) -> Store:  # type: ignore[override]
        self.turn += 1
        return self.stores[self.turn % 2]

    @property
    def index(self) -> Index:  # type: ignore[override]
        return self.indexes[self.turn % 2]

    @property
    def database(self) -> FailsToo:  # type: ignore[override]
        return self.databases[self.turn % 2]  # type: ignore[return-value]

    def close(self) -> None:
        for database in self.databases:
            self.run(database.close())

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "stack"):
            self.stack.close()


@pytest.fixture
def for_replicas(postgres_server: EmbeddedPostgres, template: str) -> None:
    ReplicasMachine.server, ReplicasMachine.template = postgres_server, template


@pytest.mark.usefixtures("for_replicas")
class TestReplicasModel(ReplicasMachine.TestCase):  # type: ignore[misc,name-defined]
    settings = settings(max_examples=4, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck))


TestIndexModel = IndexMachine.TestCase
TestIndexModel.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
