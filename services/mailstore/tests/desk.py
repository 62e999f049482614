"""A desk from which to ask a mailstore over the bus, and mails to give it."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from barid_contracts import directory, settle, store
from barid_contracts.mail import Accepted, AcceptedBatch, BodyRef, Obligation
from barid_mailstore.adapters.doors import embedded
from barid_mailstore.handlers.service import Mailstore
from barid_mailstore.settings import Settings
from barid_runtime.bus.port import Bus, OperationFailed
from barid_runtime.bus.typed import call
from barid_runtime.clock import Clock
from barid_runtime.ids import new_mail_id
from barid_runtime.metrics import Metrics
from barid_testing.fixtures import ManualClock

NOW = int(time.time())
"""When the mails of tests were accepted."""

_serial = itertools.count(1)


def make_mail(
    *recipients: str,
    subject: str = "hello",
    reverse_path: str = "ann@far.test",
    remote: tuple[str, ...] = (),
    size: int = 400,
    pack: str = "smtp_ingress.01ARZ3NDEKTSV4RRFFQ69G5FAV/000001.pack",
    **more: Any,
) -> Accepted:
    """A mail owed to these accounts (`bob` is bob@here.test), numbered from 0, then to remote addresses."""
    serial = next(_serial)
    obligations = [
        Obligation(n=n, kind="account", address=f"{name}@here.test", original=f"{name}@here.test", account=name)
        for n, name in enumerate(recipients)
    ]
    obligations += [
        Obligation(n=len(recipients) + n, kind="remote", address=address, original=address)
        for n, address in enumerate(remote)
    ]
    return Accepted(
        **{
            "mail_id": new_mail_id(NOW),
            "at": NOW * 1000,
            "reverse_path": reverse_path,
            "obligations": obligations,
            "trace": "Received: by mx.here.test; now\r\n",
            "size": size,
            "headers": f"From: Ann <ann@far.test>\r\nSubject: {subject}\r\n\r\n",
            "envelope": f'(NIL "{subject}" NIL NIL NIL NIL NIL NIL NIL NIL)',
            "structure": '("TEXT" "PLAIN" NIL NIL NIL "7BIT" 400 9)',
            "message_id": f"<{serial}@far.test>",
            "subject": subject,
            "ref": BodyRef(pack=pack, offset=serial * 1000, head=300, size=size),
            **more,
        }
    )


def filed(mail: Accepted, n: int = 0, *mailboxes: str, **more: Any) -> settle.Settlement:
    obligation = mail.obligations[n]
    return settle.Settlement(
        **{
            "mail_id": mail.mail_id,
            "n": n,
            "account": obligation.account,
            "outcome": "filed",
            "delivered_to": obligation.address,
            "filings": [settle.Filing(mailbox=name) for name in mailboxes],
            **more,
        }
    )


def uids(column: bytes) -> list[int]:
    return list(memoryview(column).cast("I")) if column else []


def wide(column: bytes) -> list[int]:
    return list(memoryview(column).cast("Q")) if column else []


class Desk:
    """Asks a mailstore over the bus, as the other services do."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.events: list[store.AccountChanged] = []
        self.quota_events: list[store.OverQuota] = []

    async def ask(self, operation: Any, request: Any, timeout: float = 5.0) -> Any:
        return await call(self.bus, operation, request, timeout=timeout)

    async def settle(self, mails: list[Accepted], settlements: list[settle.Settlement]) -> list[str]:
        request = settle.SettleRequest(accepted=AcceptedBatch(mails=mails), settlements=settlements)
        reply = await self.ask(settle.SETTLE, request)
        return [result.status for result in reply.results]

    async def deliver(self, account: str, *mailboxes: str, **more: Any) -> Accepted:
        mail = make_mail(account, **more)
        assert await self.settle([mail], [filed(mail, 0, *mailboxes)]) == ["done"]
        return mail

    async def box(self, account: str, name: str = "INBOX") -> store.MailboxInfo:
        return await self.ask(store.MAILBOX_STATUS, store.MailboxName(account=account, name=name))

    async def names(self, account: str) -> dict[str, store.MailboxInfo]:
        reply = await self.ask(store.MAILBOXES, store.AccountRef(account=account))
        return {box.name: box for box in reply.mailboxes}

    async def view(self, account: str, name: str = "INBOX", **more: Any) -> store.ViewReply:
        box = await self.box(account, name)
        return await self.ask(store.VIEW, store.ViewRequest(account=account, mailbox=box.id, **more))

    async def rows(self, account: str, name: str = "INBOX") -> dict[int, int]:
        """uid → flags."""
        view = await self.view(account, name)
        return dict(zip(uids(view.uids), wide(view.flags), strict=True))

    async def flag(
        self, account: str, name: str, numbers: list[int] | None, mode: str, *flags: str, **more: Any
    ) -> Any:
        box = await self.box(account, name)
        request = store.StoreRequest(
            account=account, mailbox=box.id, uids=numbers, mode=mode, flags=list(flags), **more
        )
        return await self.ask(store.STORE, request)

    async def expunge(self, account: str, name: str = "INBOX", numbers: list[int] | None = None, **more: Any) -> Any:
        box = await self.box(account, name)
        return await self.ask(
            store.EXPUNGE, store.ExpungeRequest(account=account, mailbox=box.id, uids=numbers, **more)
        )

    async def copy(self, account: str, name: str, numbers: list[int], target: str, *, move: bool = False) -> Any:
        box = await self.box(account, name)
        request = store.CopyRequest(account=account, mailbox=box.id, uids=numbers, target=target, move=move)
        return await self.ask(store.COPY, request)

    async def refused(self, work: Awaitable[Any]) -> str:
        """The code of the problem that comes back."""
        with pytest.raises(OperationFailed) as caught:
            await work
        return caught.value.code

    async def listen(self, account: str = "*") -> None:
        async def on_changed(payload: bytes) -> None:
            self.events.append(store.AccountChanged.model_validate_json(payload))

        async def on_quota(payload: bytes) -> None:
            self.quota_events.append(store.OverQuota.model_validate_json(payload))

        await self.bus.subscribe(f"mail.v1.changed.{account}", on_changed)
        await self.bus.subscribe("mail.v1.quota", on_quota)

    async def until(self, true: Callable[[], Any], seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds):
            while not true():
                await asyncio.sleep(0.005)


async def rows_of(mailstore: Mailstore, table: str) -> int:
    """What is in the database, for what nobody can be asked."""
    assert mailstore.doors is not None
    bodies: Any = mailstore.doors.store.bodies
    (count,) = await bodies._index.read(lambda cursor: cursor.one(f"SELECT count(*) FROM {table}"))
    return int(count)


async def swept(mailstore: Mailstore) -> None:
    assert mailstore.doors is not None
    while await mailstore.doors.store.bodies.sweep():
        pass


async def forget(mailstore: Mailstore, clock: ManualClock) -> None:
    """One round of forgetting; it pauses between its slices."""
    assert mailstore.retention is not None
    task = asyncio.ensure_future(mailstore.retention.round())
    while not task.done():
        await asyncio.sleep(0.002)
        await clock.advance(0.05)
    await task


class People:
    """A directory with the quotas that a test gives it."""

    def __init__(self) -> None:
        self.quotas: dict[str, int] = {}
        self.asked: list[str] = []
        self.gone: set[str] = set()
        self.away = False

    async def get(self, request: directory.AccountLookup) -> directory.Account:
        assert request.id is not None
        self.asked.append(request.id)
        if self.away:
            raise OperationFailed("unavailable")
        if request.id in self.gone:
            raise OperationFailed("not_found")
        return directory.Account(id=request.id, address=f"{request.id}@here.test", quota=self.quotas.get(request.id, 0))

    async def resolve(self, request: directory.ResolveRequest) -> directory.ResolveReply:
        """All addresses are elsewhere."""
        if self.away:
            raise OperationFailed("unavailable")
        return directory.ResolveReply(
            resolutions=[
                directory.Resolution(
                    address=address, status="remote", targets=[directory.Target(kind="remote", address=address)]
                )
                for address in request.addresses
            ]
        )


def a_clock() -> ManualClock:
    """It stands still until a test moves it, a minute after the mails came; and not far from the machine's time, which
    files have."""
    return ManualClock(time.time() + 60)


def new_mailstore(settings: Settings, clock: Clock | None = None) -> Mailstore:
    clock = clock or a_clock()
    return Mailstore(settings, embedded(settings, clock=clock), Metrics("mailstore", CollectorRegistry()))
