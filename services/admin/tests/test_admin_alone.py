"""The API when those it asks are away, say no, or break; and its own life. Each test has a bus of its own."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from barid_admin.__main__ import build
from barid_admin.adapters.doors import embedded
from barid_admin.adapters.service import AdminService, MakeApi
from barid_admin.policy.keys import hash_of
from barid_admin.settings import Settings
from barid_contracts import directory, queue, settle, store, trace
from barid_contracts.base import Empty
from barid_contracts.mail import BodyRef
from barid_contracts.status import ServiceStatus, status_of
from barid_runtime import logging
from barid_runtime.bus.embedded import EmbeddedNats
from barid_runtime.bus.nats import connect
from barid_runtime.bus.port import Bus, OperationFailed
from barid_runtime.bus.typed import announce, answer
from barid_runtime.service import Service
from barid_runtime.settings import SettingsError, load

from .house import Answer, Api

OWN = {"login": "bob@here.test", "password": "a guess", "new_password": "a new one"}

NEWS = directory.Resolution(
    address="bob@here.test",
    status="local",
    targets=[directory.Target(kind="account", address="bob@here.test", account="BOB")],
)


class Alone:
    """The API on a bus, and nobody else unless a test plays them."""

    def __init__(self, nats: EmbeddedNats, service: Service, bus: Bus) -> None:
        self.nats = nats
        self.service = service
        self.bus = bus
        self.api = Api(service.ports()["admin"])

    async def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Answer:
        return await asyncio.to_thread(self.api.ask, method, path, body, None, **query)

    async def play(self, operation: Any, handler: Callable[[Any], Awaitable[Any]]) -> None:
        await answer(self.bus, operation, handler, queue="played")

    async def plays(self, operation: Any, reply: Any) -> None:
        async def handler(_: Any) -> Any:
            if isinstance(reply, Exception):
                raise reply
            return reply

        await self.play(operation, handler)


def settings_of(data: Path, url: str, **more: Any) -> Settings:
    return Settings(**{"data": data, "bus_url": url, "admin_port": 0, "admin_api_key": "key-of-the-house", **more})


@pytest_asyncio.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Alone]:
    nats = EmbeddedNats(tmp_path / "nats")
    await nats.start()
    service = build(settings_of(tmp_path, nats.url, admin_preload=True))
    await service.start()
    bus = await connect(nats.url, name="test")
    yield Alone(nats, service, bus)
    await service.drain()
    await bus.close()
    await nats.stop()


async def test_a_service_that_is_away(alone: Alone) -> None:
    answer = await alone.ask("GET", "/v1/domains")
    assert (answer.status, answer.problem) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    status = await alone.ask("GET", "/v1/status")
    assert status.json["state"] == "degraded"
    assert {service["name"]: service["state"] for service in status.json["services"]} == {
        "bus": "up",
        "directory": "down",
        "mailstore": "down",
        "mda": "down",
        "relay": "down",
        "smtp_ingress": "down",
        "mss": "down",
        "admin": "down",  # nobody started it as a runner does
    }
    assert status.json["services"][1]["detail"] == "silent: nobody is there"


async def test_the_status_of_services(alone: Alone) -> None:
    await alone.plays(status_of("mda"), ServiceStatus(checks={"bus": "ok", "mailstore": "does not answer"}))
    await alone.plays(status_of("mss"), ServiceStatus(checks={"bus": "ok"}))
    await alone.plays(status_of("relay"), ServiceStatus(checks={"bus": "ok"}))
    await alone.plays(settle.RELAY_MISSING, OperationFailed("unavailable", "The relay can't do it now"))
    services = {service["name"]: service for service in (await alone.ask("GET", "/v1/status")).json["services"]}
    assert (services["mda"]["state"], services["mda"]["detail"]) == ("degraded", "mailstore: does not answer")
    assert services["mda"]["checks"] == {"bus": "ok", "mailstore": "does not answer"}
    assert (services["mss"]["state"], services["mss"]["detail"]) == ("up", "")
    assert services["mss"]["milliseconds"] > 0
    assert (services["relay"]["state"], services["relay"]["detail"]) == (
        "degraded",
        "unavailable: The relay can't do it now",
    )


async def test_guesses_at_a_password_are_log_ins_that_the_directory_counts(alone: Alone) -> None:
    tried: list[directory.AuthenticateRequest] = []
    changed: list[str] = []

    async def log_in(request: directory.AuthenticateRequest) -> directory.AuthenticateReply:
        tried.append(request)
        if len(tried) > 3:
            return directory.AuthenticateReply(wait_ms=599_001, network_waits=True)
        if request.password == "right one":
            return directory.AuthenticateReply(account="BOB", login=request.login)
        return directory.AuthenticateReply(reason="wrong login or password", delay_ms=300)

    async def change(request: directory.PasswordChange) -> Empty:
        changed.append(request.new_password)
        return Empty()

    await alone.play(directory.AUTHENTICATE, log_in)
    await alone.play(directory.PASSWORD_CHANGE, change)

    async def try_with(password: str) -> Answer:
        return await alone.ask("POST", "/v1/password", OWN | {"password": password})

    assert (await try_with("right one")).status == 204
    for _ in range(2):
        began = time.monotonic()
        said = await try_with("a guess")
        assert time.monotonic() - began >= 0.3
        assert (said.status, said.problem, said.json["detail"]) == (403, "forbidden", "wrong login or password")
    said = await try_with("right one")
    assert (said.status, said.problem, said.headers["Retry-After"]) == (429, "too-many-requests", "600")
    assert changed == ["a new one"]
    assert {(each.service, each.ip, each.counted) for each in tried} == {("admin", "127.0.0.1", True)}


async def test_guesses_side_by_side_are_few(alone: Alone) -> None:
    waiting = asyncio.Event()
    asked: list[str] = []

    async def log_in(request: directory.AuthenticateRequest) -> directory.AuthenticateReply:
        asked.append(request.password)
        await waiting.wait()
        return directory.AuthenticateReply(reason="wrong login or password")

    await alone.play(directory.AUTHENTICATE, log_in)
    tries = [asyncio.ensure_future(alone.ask("POST", "/v1/password", OWN)) for _ in range(4)]
    while len(asked) < 4:
        await asyncio.sleep(0.01)
    assert (await alone.ask("POST", "/v1/password", OWN)).problem == "too-many-requests"
    waiting.set()
    assert [(await each).status for each in tries] == [403] * 4


async def test_bans_are_listed_and_lifted(alone: Alone) -> None:
    lifted: list[directory.BanLift] = []

    async def lift(request: directory.BanLift) -> Empty:
        lifted.append(request)
        if request.network == "192.0.2.1":
            raise OperationFailed("not_found", "nothing is counted against it")
        return Empty()

    bans = [
        directory.Ban(network="2001:db8:1:2::/64", count=3, until_ms=1_790_000_000_500),
        directory.Ban(network="192.0.2.66", login="bob@here.test", count=1, until_ms=1_790_000_000_000),
    ]
    await alone.plays(directory.BAN_LIST, directory.BanList(bans=bans))
    await alone.play(directory.BAN_LIFT, lift)
    assert (await alone.ask("GET", "/v1/bans")).json["items"] == [
        {"network": "2001:db8:1:2::/64", "login": None, "count": 3, "until": "2026-09-21T14:13:20.500000Z"},
        {"network": "192.0.2.66", "login": "bob@here.test", "count": 1, "until": "2026-09-21T14:13:20Z"},
    ]
    assert (await alone.ask("DELETE", "/v1/bans/2001:db8:1:2::%2F64")).status == 204
    assert (await alone.ask("DELETE", "/v1/bans/192.0.2.66", login="bob@here.test")).status == 204
    assert (await alone.ask("DELETE", "/v1/bans/192.0.2.1")).problem == "not-found"
    assert [(each.network, each.login) for each in lifted] == [
        ("2001:db8:1:2::/64", None),
        ("192.0.2.66", "bob@here.test"),
        ("192.0.2.1", None),
    ]


@pytest.mark.parametrize(
    ("code", "status", "problem"),
    [
        ("not_found", 404, "not-found"),
        ("conflict", 409, "conflict"),
        ("invalid", 422, "invalid"),
        ("forbidden", 403, "forbidden"),
        ("over_quota", 507, "over-quota"),
        ("unavailable", 503, "unavailable"),
        ("internal", 500, "internal"),
        ("of_next_year", 500, "internal"),
    ],
)
async def test_what_services_say_becomes_a_problem(alone: Alone, code: str, status: int, problem: str) -> None:
    await alone.plays(directory.ACCOUNT_GET, OperationFailed(code, "in their words"))
    answer = await alone.ask("GET", "/v1/accounts/a@b.test")
    assert (answer.status, answer.problem, answer.json["detail"]) == (status, problem, "in their words")
    assert ("Retry-After" in answer.headers) == (status == 503)


async def test_a_service_that_answers_nonsense(alone: Alone) -> None:
    async def nonsense(_: bytes) -> bytes:
        return b'{"domains": 7}'

    await alone.bus.serve(directory.DOMAIN_LIST.subject, nonsense, queue="played")
    answer = await alone.ask("GET", "/v1/domains")
    assert (answer.status, answer.problem) == (500, "internal")
    assert set(answer.json) == {"type", "title", "status"}


async def test_a_bus_that_goes_and_comes_back(alone: Alone) -> None:
    await alone.plays(directory.DOMAIN_LIST, directory.DomainList(domains=[]))
    await alone.plays(directory.RESOLVE, directory.ResolveReply(resolutions=[NEWS]))
    found: list[store.Found] = []

    async def find(request: store.FindRequest) -> store.FindReply:
        return store.FindReply(found=found)

    await alone.play(store.FIND, find)
    waiting = asyncio.create_task(alone.ask("GET", "/v1/wait", to="bob@here.test", within=30))
    await asyncio.sleep(0.3)
    await alone.nats.stop()
    answer = await alone.ask("GET", "/v1/domains")
    assert (answer.status, answer.problem) == (503, "unavailable")
    assert alone.service.checks()["bus"] != "ok"
    # It comes while nobody can tell of it: found by the look when the bus is back.
    found.append(a_found())
    await alone.nats.start()
    assert (await waiting).json["mail_id"] == found[0].mail_id
    assert (await alone.ask("GET", "/v1/domains")).status == 200
    assert alone.service.checks()["bus"] == "ok"


def a_found() -> store.Found:
    return store.Found(
        mailbox="INBOX", mailbox_id=1, uid=1, mail_id="01" + "0" * 24, subject="s", message_id="<m>", size=1, date=1
    )


async def test_who_waits_outlasts_a_mailstore_that_restarts(alone: Alone) -> None:
    waiting = asyncio.create_task(alone.ask("GET", "/v1/wait", to="bob@here.test", within=30))
    await asyncio.sleep(0.3)
    await alone.plays(directory.RESOLVE, directory.ResolveReply(resolutions=[NEWS]))
    await asyncio.sleep(0.3)
    await alone.plays(store.FIND, store.FindReply(found=[a_found()]))
    assert (await waiting).json["uid"] == 1


async def test_who_waited_in_vain_hears_that_nobody_could_be_asked(alone: Alone) -> None:
    answer = await alone.ask("GET", "/v1/wait", to="bob@here.test", within=0.5)
    assert (answer.status, answer.problem) == (503, "unavailable")
    assert "mail.v1.directory.resolve" in answer.json["detail"]


async def test_who_waits_looks_only_when_told(alone: Alone) -> None:
    looks = 0

    async def find(request: store.FindRequest) -> store.FindReply:
        nonlocal looks
        looks += 1
        return store.FindReply(found=[a_found()] if looks == 3 else [])

    await alone.plays(directory.RESOLVE, directory.ResolveReply(resolutions=[NEWS]))
    await alone.play(store.FIND, find)
    waiting = asyncio.create_task(alone.ask("GET", "/v1/wait", to="bob@here.test", within=30))
    async with asyncio.timeout(20):
        while not looks:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)
    assert looks == 1
    await announce(alone.bus, store.ACCOUNT_CHANGED, store.AccountChanged(account="ANN"), account="ANN")
    await announce(alone.bus, store.ACCOUNT_CHANGED, store.AccountChanged(account="BOB"), account="BOB")
    await asyncio.sleep(0.3)
    assert (looks, waiting.done()) == (2, False)
    await announce(alone.bus, store.ACCOUNT_CHANGED, store.AccountChanged(account="BOB"), account="BOB")
    assert (await waiting).json["uid"] == 1
    assert looks == 3


async def test_who_hung_up_leaves_no_subscription(alone: Alone) -> None:
    await alone.plays(directory.RESOLVE, directory.ResolveReply(resolutions=[NEWS]))
    await alone.plays(store.FIND, store.FindReply(found=[]))
    open_before = len(asyncio.all_tasks())
    reader, writer = await asyncio.open_connection("127.0.0.1", alone.api.port)
    request = "GET /v1/wait?to=bob@here.test&within=300 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n"
    writer.write(request.format(alone.api.key).encode())
    await asyncio.sleep(0.3)
    assert len(asyncio.all_tasks()) > open_before
    writer.close()
    async with asyncio.timeout(5):
        while len(asyncio.all_tasks()) > open_before:
            await asyncio.sleep(0.01)
    del reader


async def test_draining_tells_those_who_wait(alone: Alone) -> None:
    await alone.plays(directory.RESOLVE, directory.ResolveReply(resolutions=[NEWS]))
    await alone.plays(store.FIND, store.FindReply(found=[]))
    waiting = [asyncio.create_task(alone.ask("GET", "/v1/wait", to="b@x.test", within=300)) for _ in range(5)]
    await asyncio.sleep(0.5)
    async with asyncio.timeout(4):
        await alone.service.drain()
        for each in waiting:
            assert (await each).problem == "unavailable"
    assert alone.service.checks() == {"start": "not started"}
    await alone.service.drain()


async def test_a_timeline_with_one_owner_away_says_so(alone: Alone) -> None:
    mail_id = "01" + "0" * 24
    steps = [
        trace.TraceStep(at=1, mail_id=mail_id, what="accepted"),
        trace.TraceStep(at=2, mail_id=mail_id, what="filed", n=0),
    ]
    nothing = await alone.ask("GET", "/v1/trace", mail_id=mail_id)
    assert nothing.problem == "unavailable"
    await alone.plays(trace.MAILSTORE_TRACE, trace.TraceReply(steps=steps))
    answer = await alone.ask("GET", "/v1/trace", mail_id=mail_id)
    assert [step["what"] for step in answer.json["steps"]] == ["accepted", "filed"]
    assert answer.json["missing"] == ["relay"]


async def test_children_of_children_are_followed_and_loops_end(alone: Alone) -> None:
    names = ["01" + "0" * 23 + digit for digit in "012"]
    following = dict(zip(names, names[1:] + names[:1], strict=True))

    async def told(request: trace.TraceRequest) -> trace.TraceReply:
        assert request.mail_id is not None
        return trace.TraceReply(
            steps=[
                trace.TraceStep(at=1, mail_id=request.mail_id, what="accepted"),
                trace.TraceStep(at=2, mail_id=following[request.mail_id], what="child", n=0),
            ]
        )

    await alone.play(trace.MAILSTORE_TRACE, told)
    await alone.plays(trace.RELAY_TRACE, trace.TraceReply(steps=[]))
    answer = await alone.ask("GET", "/v1/trace", mail_id=names[0])
    assert answer.json["mail_ids"] == names
    assert len(answer.json["steps"]) == 6
    assert answer.json["more"] == []


async def test_a_mail_with_many_children_names_those_it_leaves_out(alone: Alone) -> None:
    many = ["01" + f"{number:024}" for number in range(200)]

    async def told(request: trace.TraceRequest) -> trace.TraceReply:
        assert request.mail_id is not None
        steps = [trace.TraceStep(at=1, mail_id=request.mail_id, what="accepted")]
        if request.mail_id == many[0]:
            steps += [trace.TraceStep(at=2, mail_id=name, what="child", n=0) for name in many[1:]]
        return trace.TraceReply(steps=steps)

    await alone.play(trace.MAILSTORE_TRACE, told)
    answer = await alone.ask("GET", "/v1/trace", mail_id=many[0])
    followed = {step["mail_id"] for step in answer.json["steps"] if step["what"] == "accepted"}
    assert 40 <= len(followed) <= 60
    assert followed | set(answer.json["more"]) == set(many)


async def test_held_mail_is_listed_with_its_account_and_decided_upon(alone: Alone) -> None:
    items = [
        queue.HeldItem(mail_id="01" + f"{number:024}", n=0, account=account, reason="crashed", at=1_700_000_000_123)
        for number, account in enumerate(["BOB", "GONE"])
    ]
    acted: list[Any] = []

    async def lookup(request: directory.AccountLookup) -> directory.Account:
        if request.id != "BOB":
            raise OperationFailed("not_found")
        return directory.Account(id="BOB", address="bob@here.test")

    async def listed(request: queue.QueueListRequest) -> queue.HeldPage:
        if request.after is None:
            return queue.HeldPage(items=items[:1], next="01/0")
        assert request.after == "01/0"
        return queue.HeldPage(items=items[1:])

    async def act(request: queue.HeldAction) -> queue.QueueActionReply:
        acted.append((request.action, [key.mail_id for key in request.keys]))
        return queue.QueueActionReply(changed=len(request.keys))

    await alone.play(directory.ACCOUNT_GET, lookup)
    await alone.play(queue.HELD_LIST, listed)
    await alone.play(queue.HELD_ACT, act)
    first = (await alone.ask("GET", "/v1/held")).json
    assert first["items"][0]["address"] == "bob@here.test"
    assert first["items"][0]["at"] == "2023-11-14T22:13:20.123000Z"
    second = (await alone.ask("GET", "/v1/held", cursor=first["next"])).json
    assert (second["items"][0]["address"], second["next"]) == (None, None)
    key = {"mail_id": items[0].mail_id, "n": 0}
    assert (await alone.ask("POST", "/v1/held/release", {"keys": [key]})).json == {"changed": 1}
    assert (await alone.ask("POST", "/v1/held/discard", {"all": True})).json == {"changed": 2}
    assert acted == [
        ("release", [items[0].mail_id]),
        ("discard", [items[0].mail_id]),
        ("discard", [items[1].mail_id]),
    ]


async def test_the_queue_is_listed_and_decided_upon(alone: Alone) -> None:
    item = queue.QueueItem(
        mail_id="01" + "0" * 24,
        n=3,
        state="deferred",
        reverse_path="a@here.test",
        address="b@far.test",
        attempts=2,
        due=1_700_000_000_000,
        queued=1_600_000_000_000,
        last_error="421 later",
    )
    asked: list[Any] = []

    async def listed(request: queue.QueueListRequest) -> queue.QueuePage:
        asked.append(request)
        return queue.QueuePage(items=[item], next="7")

    async def act(request: queue.QueueAction) -> queue.QueueActionReply:
        asked.append(request)
        return queue.QueueActionReply(changed=1)

    await alone.play(queue.QUEUE_LIST, listed)
    await alone.play(queue.QUEUE_ACT, act)
    page = (await alone.ask("GET", "/v1/queue", domain="far.test", limit=1)).json
    assert page["items"][0]["due"] == "2023-11-14T22:13:20Z"
    assert (await alone.ask("GET", "/v1/queue", cursor=page["next"])).status == 200
    assert (await alone.ask("POST", "/v1/queue/bounce", {"keys": [{"mail_id": item.mail_id, "n": 3}]})).status == 200
    assert (await alone.ask("POST", "/v1/queue/hold", {"all": True})).json == {"changed": 1}
    assert [(request.domain, request.after, request.limit) for request in asked[:2]] == [
        ("far.test", None, 1),
        (None, "7", 100),
    ]
    assert (asked[2].action, asked[2].keys[0].n) == ("bounce", 3)
    assert (asked[3].action, asked[3].keys) == ("hold", None)


async def test_a_body_that_is_gone_is_a_problem(alone: Alone) -> None:
    await alone.plays(directory.ACCOUNT_GET, directory.Account(id="BOB", address="bob@here.test"))
    ref = BodyRef(pack=f"smtp_ingress.{'0' * 26}/000001.pack", offset=0, head=100, size=10)
    await alone.plays(store.SUMMARIES, store.SummariesReply(rows=[store.Summary(uid=1, ref=ref)]))
    answer = await alone.ask("GET", "/v1/accounts/bob@here.test/messages/1/1/raw")
    assert (answer.status, answer.problem) == (404, "not-found")


async def test_a_port_that_is_taken_is_named(alone: Alone, tmp_path: Path) -> None:
    taken = build(settings_of(tmp_path, alone.nats.url, admin_port=alone.api.port))
    with pytest.raises(OSError, match=f"admin API: 127.0.0.1:{alone.api.port}: "):
        await taken.start()


async def test_it_ends_in_order_before_while_and_after_it_loads(alone: Alone, tmp_path: Path) -> None:
    for pause in (None, 0, 0.05, 1.5):
        service = build(settings_of(tmp_path, alone.nats.url))
        await service.start()
        assert service.checks() == {"bus": "ok", "listener": "ok"}
        port = service.ports()["admin"]
        if pause is not None:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(pause)
            writer.close()
        await service.drain()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_many_first_connections_at_once(alone: Alone, tmp_path: Path) -> None:
    await alone.plays(directory.DOMAIN_LIST, directory.DomainList(domains=[]))
    service = build(settings_of(tmp_path, alone.nats.url))
    await service.start()
    api = Api(service.ports()["admin"])
    answers = await asyncio.gather(*[asyncio.to_thread(api.ask, "GET", "/v1/domains") for _ in range(20)])
    assert [answer.status for answer in answers] == [200] * 20
    await service.drain()


async def test_a_framework_that_does_not_load_is_told_by_readiness(alone: Alone, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, alone.nats.url)

    def broken() -> MakeApi:
        raise ImportError("no such framework")

    service = AdminService(settings, embedded(settings), broken)
    await service.start()
    with pytest.raises(ConnectionError):
        await asyncio.to_thread(Api(service.ports()["admin"]).ask, "GET", "/v1/status")
    assert service.checks()["listener"] == "can't be served; see the log"
    await service.drain()


async def closed(reader: asyncio.StreamReader) -> float:
    """Seconds until the server hung up."""
    began = time.monotonic()
    async with asyncio.timeout(10):
        while await reader.read(4096):
            pass
    return time.monotonic() - began


HEAD = b"POST /v1/queue/retry HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-of-the-house\r\n"


@pytest.mark.parametrize(
    "sent",
    [b"", HEAD, HEAD + b"Content-Length: 5\r\n\r\n{", b"GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n"],
    ids=["nothing", "half a head", "half a body", "a whole request"],
)
async def test_who_owes_bytes_is_cut_off(alone: Alone, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr("barid_admin.adapters.http.REQUEST_SECONDS", 0.4)
    reader, writer = await asyncio.open_connection("127.0.0.1", alone.api.port)
    writer.write(sent)
    assert 0.3 < await closed(reader) < 5
    writer.close()


async def test_dripping_does_not_prolong_it(alone: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barid_admin.adapters.http.REQUEST_SECONDS", 0.4)
    reader, writer = await asyncio.open_connection("127.0.0.1", alone.api.port)

    async def drip() -> None:
        writer.write(HEAD + b"X: ")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    with contextlib.suppress(ConnectionError):
        assert await closed(reader) < 5
    writer.close()
    with contextlib.suppress(ConnectionError):
        await dripping


async def test_who_waits_for_mail_is_not_cut_off(alone: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barid_admin.adapters.http.REQUEST_SECONDS", 0.2)
    await alone.plays(directory.RESOLVE, directory.ResolveReply(resolutions=[NEWS]))
    await alone.plays(store.FIND, store.FindReply(found=[]))
    answer = await alone.ask("GET", "/v1/wait", to="bob@here.test", within=1.5)
    assert answer.problem == "not-in-time"


async def test_too_many_connections_are_closed(alone: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barid_admin.adapters.http.CONNECTIONS_MOST", 5)
    kept = [await asyncio.open_connection("127.0.0.1", alone.api.port) for _ in range(5)]
    reader, writer = await asyncio.open_connection("127.0.0.1", alone.api.port)
    assert await closed(reader) < 5
    for _, each in [*kept, (reader, writer)]:
        each.close()


async def test_what_changes_something_is_logged_without_the_key(
    alone: Alone, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.configure("info", "json")
    await alone.plays(directory.DOMAIN_DELETE, Empty())
    await alone.ask("DELETE", "/v1/domains/here.test")
    await alone.ask("GET", "/v1/domains")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    logged = [line for line in lines if line["event"] == "request"]
    assert [(line["method"], line["path"], line["status"]) for line in logged] == [
        ("DELETE", "/v1/domains/here.test", 204)
    ]
    assert logged[0]["key"] == hash_of(alone.api.key or "").hex()[:8]


def test_settings_without_a_key_or_with_a_strange_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no API key"):
        load(Settings, data=tmp_path)
    with pytest.raises(SettingsError, match="admin_key_hashes"):
        load(Settings, data=tmp_path, admin_key_hashes=["not a hash"])
    assert load(Settings, data=tmp_path, admin_reader_hashes=["ab" * 32])


async def test_every_answer_is_small_json(alone: Alone) -> None:
    await alone.plays(settle.SIEVE_LIST, settle.ScriptList(scripts=[]))
    await alone.plays(directory.ACCOUNT_GET, directory.Account(id="BOB", address="bob@here.test"))
    answer = await alone.ask("GET", "/v1/accounts/bob@here.test/sieve")
    assert json.loads(answer.body) == {"items": []}
    assert "server" not in answer.headers
