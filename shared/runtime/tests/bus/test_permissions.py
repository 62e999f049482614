"""The table of permissions and the contracts agree, and a real server keeps everybody to it."""

import asyncio
import importlib
import json
import pkgutil
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import barid_contracts
from barid_contracts.base import Event, Operation
from barid_runtime.bus.embedded import EmbeddedNats
from barid_runtime.bus.permissions import PERMISSIONS, inbox_of

OWNERS = {"directory", "mailstore", "relay"}
"""They answer questions. All others are asked how they are, and nothing else."""


def contracts(kind: type) -> list[str]:
    modules = [
        importlib.import_module(f"barid_contracts.{info.name}")
        for info in pkgutil.iter_modules(barid_contracts.__path__)
    ]
    return sorted({value.subject for module in modules for value in vars(module).values() if isinstance(value, kind)})


def matches(pattern: str, subject: str) -> bool:
    wanted, given = pattern.split("."), subject.split(".")
    for n, token in enumerate(wanted):
        if token == ">":
            return len(given) > n
        if n >= len(given) or (token != "*" and token != given[n]):
            return False
    return len(wanted) == len(given)


def allowed(kind: str, subject: str) -> set[str]:
    return {
        name
        for name, permissions in PERMISSIONS.items()
        if name != "barid" and any(matches(pattern, subject) for pattern in getattr(permissions, kind))
    }


@pytest.mark.parametrize("subject", contracts(Operation))
def test_every_operation_is_served_by_its_owner_alone_and_asked_by_somebody(subject: str) -> None:
    owner = subject.split(".")[2]
    assert owner in OWNERS or (owner in SERVICES and subject == f"mail.v1.{owner}.status")
    assert allowed("subscribe", subject) == {owner}
    assert allowed("publish", subject)


@pytest.mark.parametrize("subject", contracts(Event))
def test_every_event_is_told_by_somebody(subject: str) -> None:
    assert allowed("publish", subject.format(account="a1"))


def test_who_faces_the_internet_can_not_manage_or_settle() -> None:
    for subject in contracts(Operation):
        if ".manage." in subject or subject.endswith((".settle", ".append", ".password")):
            assert "smtp_ingress" not in allowed("publish", subject)
    assert not any(subject.startswith("mail.v1.directory.manage") for subject in PERMISSIONS["mss"].publish)


@pytest.mark.parametrize("name", PERMISSIONS)
def test_no_subject_is_listed_twice(name: str) -> None:
    for listed in (PERMISSIONS[name].publish, PERMISSIONS[name].subscribe):
        assert len(set(listed)) == len(listed)


def test_news_of_an_account_are_heard_by_those_who_show_mail() -> None:
    assert allowed("subscribe", "mail.v1.changed.a1") == {"mss", "admin"}


# --- on a real server

SERVICES = sorted(PERMISSIONS.keys() - {"barid"})
STREAM_API = [
    f"$JS.API.{what}"
    for what in (
        "INFO",
        "STREAM.NAMES",
        "STREAM.CREATE.MAIL",
        "STREAM.UPDATE.MAIL",
        "STREAM.INFO.MAIL",
        "STREAM.DELETE.MAIL",
        "STREAM.PURGE.MAIL",
        "STREAM.MSG.GET.MAIL",
        "STREAM.MSG.DELETE.MAIL",
        "STREAM.LEADER.STEPDOWN.MAIL",
        "STREAM.CREATE.OTHER",
        *(
            f"CONSUMER.{what}.MAIL.{durable}{tail}"
            for durable in ("mda", "relay", "thief")
            for what, tail in (("CREATE", ".mail.v1.accepted.local"), ("INFO", ""), ("MSG.NEXT", ""), ("DELETE", ""))
        ),
    )
]
ACKS = [f"$JS.ACK.MAIL.{durable}.1.1.1.1.0" for durable in ("mda", "relay", "thief")]
INBOXES = [f"_INBOX.{name}.x" for name in (*SERVICES, "any")]


def everything() -> list[str]:
    """What anybody might want to say or hear."""
    events = [subject.format(account="a1") for subject in contracts(Event)]
    return sorted({*contracts(Operation), *events, *STREAM_API, *ACKS, *INBOXES, "$SYS.REQ.SERVER.PING", "mail.v2.x"})


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedNats]:
    server = EmbeddedNats(tmp_path, users={name: f"{name}-secret" for name in PERMISSIONS})
    await server.start()
    yield server
    await server.stop()


async def refused(server: EmbeddedNats, user: str, verb: str, subjects: list[str]) -> set[str]:
    """What the server says no to when this user does it to each of the subjects."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 20)
    await reader.readline()
    login = {"user": user, "pass": f"{user}-secret", "verbose": False, "protocol": 1}
    tail = " 0\r\n" if verb == "PUB" else " {number}"
    lines = [f"{verb} {subject}{tail.format(number=number)}\r\n" for number, subject in enumerate(subjects)]
    writer.write(f"CONNECT {json.dumps(login)}\r\n{''.join(lines)}PING\r\n".encode())
    said = await asyncio.wait_for(reader.readuntil(b"PONG\r\n"), 10)
    writer.close()
    await writer.wait_closed()
    return {found.decode() for found in re.findall(rb"Permissions Violation for \w+ to \"([^\"]+)\"", said)}


@pytest.mark.parametrize("user", SERVICES)
async def test_the_server_lets_it_say_what_its_job_needs_and_nothing_else(server: EmbeddedNats, user: str) -> None:
    subjects = everything()
    may = {each for each in subjects if any(matches(pattern, each) for pattern in PERMISSIONS[user].publish)}
    assert await refused(server, user, "PUB", subjects) == set(subjects) - may
    # Whatever the table says: streams are deleted, emptied and looked into by nobody, nor is work taken for another.
    destructive = [each for each in STREAM_API if re.search(r"DELETE|PURGE|GET|STEPDOWN|OTHER|thief", each)]
    others = [each for each in STREAM_API + ACKS if re.search(r"\.(mda|relay)\b", each) and f".{user}" not in each]
    if user == "admin":  # it tells operators how much waits
        others = [each for each in others if "CONSUMER.INFO" not in each]
    assert may.isdisjoint([*destructive, *others, *INBOXES, "$SYS.REQ.SERVER.PING"])


@pytest.mark.parametrize("user", SERVICES)
async def test_the_server_lets_it_hear_what_its_job_needs_and_nothing_else(server: EmbeddedNats, user: str) -> None:
    subjects = [*everything(), ">", "mail.v1.>", "_INBOX.>", "$JS.>"]
    heard = (*PERMISSIONS[user].subscribe, inbox_of(user))
    may = {each for each in subjects if any(matches(pattern, each) for pattern in heard)}
    assert await refused(server, user, "SUB", subjects) == set(subjects) - may
    assert may.isdisjoint(set(INBOXES) - {f"_INBOX.{user}.x"})
