"""Certificates that are renewed while doors are open. Clients trust one authority and check the name, as real ones."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509

from barid_runtime import certificates
from barid_runtime.certificates import LOOK, Certificates
from barid_runtime.listeners import Doorway, TlsListener, open_listener
from barid_runtime.metrics import exposition
from barid_runtime.tls import TlsError, listeners_pair, verified_client_context
from barid_testing.certificates import Authority, Pair

HOST = "127.0.0.1"


class Echo(asyncio.Protocol):
    def __init__(self, inside: "set[Echo]") -> None:
        self.inside = inside

    def admit(self, peer: object) -> bool:
        self.inside.add(self)
        return True

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.inside.discard(self)


class Secret:
    """A folder as Kubernetes mounts a secret: files are links through `..data`, which is turned in one step."""

    def __init__(self, folder: Path, first: Pair) -> None:
        self.folder = folder
        folder.mkdir()
        self.turns = 0
        self.turn(first)
        for name in ("tls.crt", "tls.key"):
            (folder / name).symlink_to(Path("..data", name))

    @property
    def pair(self) -> tuple[Path, Path]:
        return self.folder / "tls.crt", self.folder / "tls.key"

    def turn(self, to: Pair) -> None:
        self.turns += 1
        version = self.folder / f"..version{self.turns}"
        version.mkdir()
        (version / "tls.crt").write_bytes(to.certificate.read_bytes())
        (version / "tls.key").write_bytes(to.key.read_bytes())
        link = self.folder / "..data.new"
        link.symlink_to(version.name)
        link.replace(self.folder / "..data")


class House:
    """A door whose certificate is `secret`; time is moved by hand."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "ca")
        self.first = self.authority.issue("first", HOST)
        self.secret = Secret(folder / "secret", self.first)
        self.now = 1000.0
        self.certificates = Certificates("tested", lambda: self.secret.pair, lambda: self.now)
        self.writers: list[asyncio.StreamWriter] = []

    async def open(self) -> None:
        self.door: TlsListener[Echo] = await open_listener(  # type: ignore[assignment]
            Doorway("door", HOST, 0, Echo, 10.0), self.certificates.context
        )

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, str]:
        """And the subject of the certificate that was shown."""
        reader, writer = await asyncio.open_connection(
            HOST, self.door.port, ssl=verified_client_context(self.authority.certificate)
        )
        self.writers.append(writer)
        shown = writer.get_extra_info("ssl_object").getpeercert()
        return reader, writer, dict(pair[0] for pair in shown["subject"])["commonName"]

    async def shown(self) -> str:
        return (await self.connect())[2]

    def later(self) -> None:
        self.now += LOOK


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    await made.open()
    yield made
    made.door.close()
    for writer in made.writers:
        writer.close()
        with contextlib.suppress(ssl.SSLError, OSError):
            await writer.wait_closed()


async def test_a_renewed_certificate_is_shown_to_who_comes_and_who_is_there_goes_on(house: House) -> None:
    reader, writer, first = await house.connect()
    assert first == "first"

    house.secret.turn(house.authority.issue("second", HOST))
    assert await house.shown() == "first", "it looks at most every LOOK seconds"
    house.later()
    assert await house.shown() == "second"

    writer.write(b"still here\r\n")
    assert await reader.readline() == b"still here\r\n"


async def test_a_pair_that_does_not_fit_is_told_once_and_the_old_one_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(certificates.log, "warning", lambda event, **fields: told.append({"event": event, **fields}))
    other, third = house.authority.issue("other", HOST), house.authority.issue("third", HOST)

    house.secret.turn(Pair(other.certificate, third.key))
    for _ in range(3):
        house.later()
        assert await house.shown() == "first"
    assert len(told) == 1
    assert "tls.crt" in told[0]["error"]
    assert "PRIVATE" not in str(told)

    house.secret.pair[0].unlink()
    house.later()
    assert await house.shown() == "first"
    assert len(told) == 2

    house.secret.pair[0].symlink_to(Path("..data", "tls.crt"))
    house.secret.turn(third)
    house.later()
    assert await house.shown() == "third"
    assert len(told) == 2


async def test_files_written_in_place_one_after_the_other(house: House) -> None:
    """As certbot without links does: for a moment the certificate is new and the key is old."""
    renewed = house.authority.issue("renewed", HOST)
    certificate, key = house.secret.pair
    certificate.write_bytes(renewed.certificate.read_bytes())
    house.later()
    assert await house.shown() == "first"
    key.write_bytes(renewed.key.read_bytes())
    house.later()
    assert await house.shown() == "renewed"


async def test_the_time_of_expiry_is_that_of_the_certificate_that_is_shown(house: House) -> None:
    def metric() -> float:
        line = next(each for each in exposition().decode().splitlines() if 'service="tested"' in each)
        assert line.startswith("barid_tls_certificate_expires_timestamp_seconds{")
        return float(line.rpartition(" ")[2])

    def end_of(pair: Pair) -> float:
        return x509.load_pem_x509_certificate(pair.certificate.read_bytes()).not_valid_after_utc.timestamp()

    first = metric()
    assert first == end_of(house.first)
    renewed = house.authority.issue("renewed", HOST, days=7)
    assert end_of(renewed) > first + 86400
    house.secret.turn(renewed)
    house.later()
    # Without any connection: whoever watches the expiry must not be told of one that is over.
    assert metric() == end_of(renewed)


def test_the_first_pair_must_be_good_and_be_two(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("nonsense")
    missing = tmp_path / "missing.pem"
    with pytest.raises(TlsError, match=r"c\.pem"):
        Certificates("bad", lambda: (tmp_path / "c.pem", missing)).context()
    with pytest.raises(TlsError, match="BARID_TLS_KEY"):
        listeners_pair(tmp_path / "c.pem", None, tmp_path, ["localhost"], 0.0)
