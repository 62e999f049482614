"""Changes whose answer was lost: whoever asks again with the same key hears what was done, and it was done once."""

from typing import Any

import apsw
import asyncpg
import pytest

from barid_contracts import store
from barid_mailstore.handlers.service import Mailstore
from barid_mailstore.settings import Settings
from barid_runtime.database.sqlite import SqliteDatabase
from barid_runtime.ids import new_mail_id
from barid_testing.fixtures import ManualClock

from .desk import NOW, Desk, forget, make_mail, new_mailstore, rows_of, uids

HOUR = 3600.0


def in_time(clock: ManualClock) -> int:
    return int((clock.now() + 5) * 1000)


def too_late(clock: ManualClock) -> int:
    return int(clock.now() * 1000)


async def copying(desk: Desk, numbers: list[int], **more: Any) -> store.CopyRequest:
    """From bob's INBOX to his Archive."""
    box = await desk.box("bob")
    key = new_mail_id(NOW + 60)
    return store.CopyRequest(
        **{"account": "bob", "mailbox": box.id, "uids": numbers, "target": "Archive", "key": key, **more}
    )


def uploading(mailbox: str = "Drafts", **more: Any) -> store.AppendRequest:
    return store.AppendRequest(account="bob", mailbox=mailbox, mail=make_mail(), date=NOW, **more)


async def test_an_upload_that_was_done_is_told_also_when_it_is_late(desk: Desk, clock: ManualClock) -> None:
    await desk.box("bob")
    upload = uploading(not_after=in_time(clock))
    reply = await desk.ask(store.APPEND, upload)
    await clock.leap(60)
    assert await desk.ask(store.APPEND, upload) == reply
    assert await desk.refused(desk.ask(store.APPEND, uploading(not_after=too_late(clock)))) == "late"
    assert list(await desk.rows("bob", "Drafts")) == [1]


async def test_what_is_late_makes_no_account(desk: Desk, mailstore: Mailstore, clock: ManualClock) -> None:
    assert await desk.refused(desk.ask(store.APPEND, uploading(not_after=too_late(clock)))) == "late"
    assert await rows_of(mailstore, "account") == 0


@pytest.mark.parametrize("move", [False, True])
async def test_a_copy_under_a_key_is_done_once(desk: Desk, clock: ManualClock, move: bool) -> None:
    for _ in range(5):
        await desk.deliver("bob")
    request = await copying(desk, [1, 2, 4], move=move, not_after=in_time(clock))
    reply = await desk.ask(store.COPY, request)
    assert (uids(reply.source), uids(reply.target)) == ([1, 2, 4], [1, 2, 3])
    await clock.leap(60)
    assert await desk.ask(store.COPY, request) == reply
    assert list(await desk.rows("bob", "Archive")) == [1, 2, 3]
    assert list(await desk.rows("bob")) == ([3, 5] if move else [1, 2, 3, 4, 5])
    late = await copying(desk, [3], move=move, not_after=too_late(clock))
    assert await desk.refused(desk.ask(store.COPY, late)) == "late"
    assert list(await desk.rows("bob", "Archive")) == [1, 2, 3]


async def test_a_copy_with_another_key_or_none_is_another_copy(desk: Desk) -> None:
    await desk.deliver("bob")
    for key in ({}, {"key": ""}, {"key": ""}):
        await desk.ask(store.COPY, await copying(desk, [1], **key))
    assert list(await desk.rows("bob", "Archive")) == [1, 2, 3]


async def test_a_copy_that_was_refused_or_found_nothing_leaves_its_key_free(desk: Desk, mailstore: Mailstore) -> None:
    await desk.deliver("bob")
    nowhere = await copying(desk, [1], target="Nowhere")
    assert await desk.refused(desk.ask(store.COPY, nowhere)) == "not_found"
    assert (await desk.ask(store.COPY, await copying(desk, [7]))).source == b""
    assert await rows_of(mailstore, "copied") == 0
    await desk.ask(store.MAILBOX_CREATE, store.MailboxCreate(account="bob", name="Nowhere"))
    assert uids((await desk.ask(store.COPY, nowhere)).target) == [1]


async def test_keys_outlive_the_process(desk: Desk, mailstore: Mailstore, settings: Settings) -> None:
    await desk.deliver("bob")
    request, upload = await copying(desk, [1]), uploading()
    replies = await desk.ask(store.COPY, request), await desk.ask(store.APPEND, upload)
    await mailstore.drain()
    again = new_mailstore(settings)
    await again.start()
    try:
        assert (await desk.ask(store.COPY, request), await desk.ask(store.APPEND, upload)) == replies
        assert len(await desk.rows("bob", "Archive")) == len(await desk.rows("bob", "Drafts")) == 1
    finally:
        await again.drain()


async def test_keys_are_forgotten_after_an_hour(desk: Desk, mailstore: Mailstore, clock: ManualClock) -> None:
    await desk.deliver("bob")
    await desk.ask(store.COPY, await copying(desk, [1]))
    await clock.leap(HOUR / 2)
    await desk.ask(store.COPY, await copying(desk, [1], key=new_mail_id(int(clock.now()))))
    await forget(mailstore, clock)
    assert await rows_of(mailstore, "copied") == 2
    await clock.leap(HOUR / 2 + 60)
    await forget(mailstore, clock)
    assert await rows_of(mailstore, "copied") == 1


async def test_a_commit_that_fails_is_not_a_no(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may stand there: whoever asks again hears it."""
    await desk.deliver("bob")
    for operation, request, box in (
        (store.COPY, await copying(desk, [1]), "Archive"),
        (store.APPEND, uploading(), "Drafts"),
    ):
        with monkeypatch.context() as patched:
            commits_in_silence(patched)
            assert await desk.refused(desk.ask(operation, request)) == "unknown"
        await desk.ask(operation, request)
        assert list(await desk.rows("bob", box)) == [1]


def commits_in_silence(patched: pytest.MonkeyPatch) -> None:
    """On either database."""
    commit, execute = SqliteDatabase._commit, asyncpg.Connection.execute

    def commit_and_fail(database: SqliteDatabase) -> None:
        commit(database)
        raise apsw.IOError("the disk is gone")

    async def execute_and_be_gone(connection: Any, sql: str, *arguments: Any) -> Any:
        said = await execute(connection, sql, *arguments)
        if sql == "COMMIT":
            raise ConnectionResetError("the server is gone")
        return said

    patched.setattr(SqliteDatabase, "_commit", commit_and_fail)
    patched.setattr(asyncpg.Connection, "execute", execute_and_be_gone)
