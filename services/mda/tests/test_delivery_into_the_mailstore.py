"""The MDA between the real directory and the real mailstore: processes, each with its own user on the bus."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from barid_contracts.directory import (
    ACCOUNT_CREATE,
    ACCOUNT_DELETE,
    DOMAIN_PUT,
    Account,
    AccountCreate,
    AddressName,
    Domain,
)
from barid_contracts.mail import ACCEPTED_LOCAL, Accepted, AcceptedBatch, BodyRef, Obligation
from barid_contracts.settle import SIEVE_PUT, ScriptPut
from barid_contracts.store import FIND, MAILBOX_CREATE, FindRequest, Found, MailboxCreate
from barid_contracts.trace import MAILSTORE_TRACE, TraceRequest
from barid_runtime.bus.embedded import EmbeddedNats
from barid_runtime.bus.nats import connect
from barid_runtime.bus.port import Bus, NoResponders, Stream
from barid_runtime.bus.typed import call
from barid_runtime.ids import new_mail_id

NOW = 1_700_000_000.0


class House:
    """The three processes."""

    def __init__(self, bus: Bus, nats_url: str, data: Path) -> None:
        self.bus = bus
        self.processes: dict[str, asyncio.subprocess.Process] = {}
        self._environment = {
            **os.environ,
            "BARID_DATA": str(data),
            "BARID_BUS_URL": nats_url,
            "BARID_LOG_LEVEL": "warning",
            "BARID_HOSTNAME": "mx.a.test",
        }

    async def start(self, service: str) -> None:
        self.processes[service] = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"barid_{service}",
            env={**self._environment, "BARID_BUS_USER": service, "BARID_BUS_PASSWORD": f"of {service}"},
        )

    async def stop(self, service: str, number: int = signal.SIGTERM) -> int:
        process = self.processes.pop(service)
        process.send_signal(number)
        return await process.wait()

    async def ask(self, operation: Any, request: Any) -> Any:
        """Patient with a service that is still starting."""
        async with asyncio.timeout(30):
            while True:
                try:
                    return await call(self.bus, operation, request)
                except NoResponders:
                    await asyncio.sleep(0.05)

    async def account(self, address: str) -> Account:
        account: Account = await self.ask(ACCOUNT_CREATE, AccountCreate(address=address, password="open sesame"))
        return account

    async def deliver(self, account: Account, subject: str, detail: str | None = None, *, sender: str = "") -> Accepted:
        mail = Accepted(
            mail_id=new_mail_id(NOW),
            at=int(NOW * 1000),
            reverse_path=sender,
            obligations=[
                Obligation(
                    n=0,
                    kind="account",
                    address=account.address,
                    original=account.address,
                    account=account.id,
                    detail=detail,
                )
            ],
            size=100,
            headers=f"To: {account.address}\r\nSubject: {subject}\r\nMessage-ID: <{subject}@b.test>\r\n\r\n",
            subject=subject,
            message_id=f"<{subject}@b.test>",
            ref=BodyRef(pack="nowhere/000001.pack", offset=0, head=0, size=100),
        )
        payload = AcceptedBatch(mails=[mail]).model_dump_json().encode()
        await self.bus.publish_durable(ACCEPTED_LOCAL.subject, payload, message_id=mail.mail_id)
        return mail

    async def found(self, account: Account, subject: str) -> list[Found]:
        """What stands in the mailboxes, once there is something."""
        async with asyncio.timeout(20):
            while True:
                found: list[Found] = (await self.ask(FIND, FindRequest(account=account.id, subject=subject))).found
                if found:
                    return found
                await asyncio.sleep(0.02)


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    users = {name: f"of {name}" for name in ("barid", "directory", "mailstore", "mda")}
    nats = EmbeddedNats(tmp_path / "nats", users=users)
    await nats.start()
    bus = await connect(nats.url, user="barid", password=users["barid"], name="test")
    running = House(bus, nats.url, tmp_path)
    await bus.ensure_stream(Stream("MAIL", ("mail.v1.accepted.>",)))
    try:
        for service in ("directory", "mailstore", "mda"):
            await running.start(service)
        await running.ask(DOMAIN_PUT, Domain(name="a.test"))
        yield running
    finally:
        for process in running.processes.values():
            process.kill()
            await process.wait()
        await bus.close()
        await nats.stop()


async def test_mail_is_filed_by_script_and_by_detail(house: House) -> None:
    alice = await house.account("alice@a.test")
    await house.deliver(alice, "plain")
    assert [found.mailbox for found in await house.found(alice, "plain")] == ["INBOX"]

    await house.ask(MAILBOX_CREATE, MailboxCreate(account=alice.id, name="Lists"))
    await house.deliver(alice, "detailed", "Lists")
    assert [found.mailbox for found in await house.found(alice, "detailed")] == ["Lists"]
    await house.deliver(alice, "lowered", "lists")
    assert [found.mailbox for found in await house.found(alice, "lowered")] == ["Lists"]
    await house.deliver(alice, "astray", "Nowhere")
    assert [found.mailbox for found in await house.found(alice, "astray")] == ["INBOX"]

    text = 'require ["fileinto", "mailbox"]; if header :contains "subject" "rule" { fileinto :create "Rules"; }'
    await house.ask(SIEVE_PUT, ScriptPut(account=alice.id, name="main", text=text))
    mail = await house.deliver(alice, "ruled")
    assert [found.mailbox for found in await house.found(alice, "ruled")] == ["Rules"]
    steps = (await house.ask(MAILSTORE_TRACE, TraceRequest(mail_id=mail.mail_id))).steps
    assert "filed" in [step.what for step in steps]


async def test_what_came_while_the_mailstore_was_dead_is_filed_once(house: House) -> None:
    alice = await house.account("alice@a.test")
    await house.deliver(alice, "before")
    await house.found(alice, "before")
    await house.stop("mailstore", signal.SIGKILL)
    for n in range(10):
        await house.deliver(alice, f"meanwhile{n}x")
    await asyncio.sleep(0.3)
    await house.start("mailstore")
    for n in range(10):
        assert len(await house.found(alice, f"meanwhile{n}x")) == 1
    assert await house.stop("mda") == 0


async def test_a_deleted_account_ends_as_bounced(house: House) -> None:
    alice = await house.account("alice@a.test")
    await house.ask(ACCOUNT_DELETE, AddressName(address="alice@a.test"))
    mail = await house.deliver(alice, "late")
    async with asyncio.timeout(20):
        while True:
            steps = (await house.ask(MAILSTORE_TRACE, TraceRequest(mail_id=mail.mail_id))).steps
            if any(step.what == "bounced" for step in steps):
                break
            await asyncio.sleep(0.05)


async def test_a_vacation_reply_and_a_notice_of_failure_reach_the_sender(house: House) -> None:
    alice, bob = await house.account("alice@a.test"), await house.account("bob@a.test")
    text = 'require "vacation"; vacation :subject "Away" "Back on Monday.";'
    await house.ask(SIEVE_PUT, ScriptPut(account=alice.id, name="main", text=text))
    await house.deliver(alice, "lunch", sender="bob@a.test")
    assert [found.mailbox for found in await house.found(bob, "Away")] == ["INBOX"]
    await house.deliver(alice, "supper", sender="bob@a.test")
    await house.found(alice, "supper")
    await house.ask(ACCOUNT_DELETE, AddressName(address="alice@a.test"))
    notices: list[Found] = []
    async with asyncio.timeout(20):
        while not notices:  # the news of the deletion and the mail travel apart
            await house.deliver(alice, "late", sender="bob@a.test")
            await asyncio.sleep(0.3)
            notices = (await house.ask(FIND, FindRequest(account=bob.id, subject="Undelivered"))).found
    assert notices[0].mailbox == "INBOX"
    assert len(await house.found(bob, "Away")) == 1
