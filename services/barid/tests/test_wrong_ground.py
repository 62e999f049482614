"""A service's settings are well-formed, but what they name refuses it or isn't there. What waiting can't mend ends the
start in one line with an exit code of sysexits(3); what may yet come is waited for, and each try says for what. No
traceback, and no password, either way."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from barid.roster import module_of
from barid_runtime.database.embedded import EmbeddedPostgres
from barid_runtime.objects.place import S3Place
from barid_testing.bus_fixtures import BusCluster

SECONDS = 60.0
WAITS = None
TRYING = ("waiting for", "no store yet")

NOBODY = "127.0.0.1:1"
"""A port where nobody listens (tcpmux)."""


def begin(service: str, given: dict[str, Any], folder: Path) -> tuple[int | None, list[str], str]:
    """How a service's process ended, or None when it goes on trying; what it says of that; all that it said."""
    settings = {"data": folder / "data", "host": "127.0.0.1", "drain_seconds": 1} | given
    environment = {f"BARID_{name.upper()}": str(value) for name, value in settings.items() if value != ""}
    said = folder / "said"
    with said.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", module_of(service)],
            env={"PATH": os.environ["PATH"]} | environment, stdout=file, stderr=file,
        )  # fmt: skip
    try:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            code = process.poll()
            events = [json.loads(line) for line in said.read_text().splitlines() if line.startswith("{")]
            if code is not None:
                return code, [each["error"] for each in events if each["event"] == "start failed"], said.read_text()
            if tries := [each for each in events if each["event"].startswith(TRYING)]:
                return WAITS, [f"{tries[0]['event']}: {tries[0]['error']}"], said.read_text()
            time.sleep(0.05)
        raise AssertionError(f"neither ended nor told what it waits for: {said.read_text()}")
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def role_without_rights(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    async def do(*statements: str) -> None:
        admin = await asyncpg.connect(postgres_server.url())
        for each in statements:
            await admin.execute(each)
        await admin.close()

    asyncio.run(do("CREATE ROLE poor LOGIN PASSWORD 'hush-poor'"))
    yield postgres_server.url(user="poor", password="hush-poor")
    asyncio.run(do("DROP ROLE poor"))


def plain(failures: list[str], words: str) -> None:
    (line,) = failures
    assert words in line
    assert "\n" not in line


def silent(said: str, *secrets: str) -> None:
    assert "Traceback" not in said
    for each in ("hush", *secrets):
        assert each not in said


@pytest.mark.parametrize(
    ("database", "user", "code", "words"),
    [
        ("postgres", "barid", os.EX_UNAVAILABLE, "password authentication failed"),
        ("nowhere", "", os.EX_UNAVAILABLE, 'database "nowhere" does not exist'),
    ],
)
def test_a_database_that_refuses_us(
    nats_url: str, postgres_server: EmbeddedPostgres, tmp_path: Path, database: str, user: str, code: int, words: str
) -> None:
    url = postgres_server.url(database, user, "hush") if user else postgres_server.url(database)
    ended, failures, said = begin("directory", {"bus_url": nats_url, "database_url": url}, tmp_path)
    plain(failures, words)
    assert ended == code
    silent(said, postgres_server.url())


def test_a_role_that_may_not_make_our_schema(nats_url: str, role_without_rights: str, tmp_path: Path) -> None:
    ended, failures, said = begin("directory", {"bus_url": nats_url, "database_url": role_without_rights}, tmp_path)
    plain(failures, "permission denied for database")
    plain(failures, "GRANT CREATE ON DATABASE")
    assert ended == os.EX_UNAVAILABLE
    silent(said)


def test_a_database_that_is_not_there_yet(nats_url: str, tmp_path: Path) -> None:
    url = f"postgresql://barid:hush@{NOBODY}/barid"
    ended, waiting, said = begin("directory", {"bus_url": nats_url, "database_url": url}, tmp_path)
    plain(waiting, f"waiting for the database: PostgreSQL at {NOBODY}/barid")
    assert ended is WAITS
    silent(said)


def bucket(place: S3Place, **other: str) -> dict[str, str]:
    return {
        "s3_url": place.url, "s3_bucket": place.bucket, "s3_access_key": place.access_key,
        "s3_secret_key": place.secret_key, "smtp_port": "0", "submission_port": "0", "submissions_port": "0",
        "lmtp_port": "0",
    } | other  # fmt: skip


def test_a_store_that_refuses_our_key(nats_url: str, s3_place: S3Place, tmp_path: Path) -> None:
    ended, failures, said = begin(
        "smtp_ingress", {"bus_url": nats_url} | bucket(s3_place, s3_secret_key="hush"), tmp_path
    )
    plain(failures, "look at BARID_S3_ACCESS_KEY, BARID_S3_SECRET_KEY")
    assert ended == os.EX_UNAVAILABLE
    silent(said)


def test_a_store_that_is_not_there(nats_url: str, s3_place: S3Place, tmp_path: Path) -> None:
    ended, waiting, said = begin(
        "smtp_ingress", {"bus_url": nats_url} | bucket(s3_place, s3_url=f"http://{NOBODY}"), tmp_path
    )
    assert ended is WAITS
    plain(waiting, f"no store yet: mail is refused for now: http://{NOBODY}")
    silent(said, s3_place.secret_key)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"bus_password": "hush"}, "Authorization Violation"),
        ({"bus_ca": ""}, "certificate"),
        ({"bus_url": f"tls://{NOBODY}"}, NOBODY),
    ],
    ids=["wrong password", "authorities that don't vouch for it", "nobody there"],
)
def test_a_bus_that_refuses_us_or_is_not_there(
    bus_cluster: BusCluster, tmp_path: Path, given: dict[str, str], words: str
) -> None:
    """It may be that its configuration is behind ours: it is waited for."""
    ours = {"bus_url": ",".join(bus_cluster.urls).replace("nats://", "tls://"), "bus_user": "mda",
            "bus_password": "mda-secret", "bus_ca": bus_cluster.ca}  # fmt: skip
    ended, waiting, said = begin("mda", ours | given, tmp_path)
    assert ended is WAITS
    plain(waiting, words)
    silent(said, "mda-secret")


def test_a_user_of_the_bus_without_a_right_that_the_service_needs(bus_cluster: BusCluster, tmp_path: Path) -> None:
    ours = {"bus_url": ",".join(bus_cluster.urls), "bus_user": "admin", "bus_password": "admin-secret",
            "bus_ca": bus_cluster.ca}  # fmt: skip
    ended, told, said = begin("mda", ours, tmp_path)
    assert ended is WAITS
    plain(told, "waiting for the bus")
    assert "permissions violation" in said.lower()  # which one, in the line before
    silent(said, "admin-secret")
