"""What an operator sees: readiness, ports, metrics."""

from pathlib import Path

from prometheus_client import CollectorRegistry

from barid_mss.adapters.doors import embedded
from barid_mss.handlers.service import MailStorageServer
from barid_mss.settings import Settings
from barid_runtime.bus.port import Bus
from barid_runtime.metrics import Metrics, exposition

from .house import PASSWORD, House, open_house


async def test_a_server_that_is_ready_says_so(house: House) -> None:
    assert house.server is not None
    assert house.server.checks() == {"bus": "ok", "journal": "ok", "listeners": "ok"}
    assert set(house.server.ports()) == {"imap", "imaps", "pop3", "pop3s"}
    assert all(house.server.ports().values())


async def test_metrics_count_sessions_commands_and_log_ins(house: House) -> None:
    registry = CollectorRegistry()
    assert house.server is not None
    await house.server.drain()
    settings = house.server._settings
    house.server = MailStorageServer(settings, embedded(settings), Metrics("mss", registry))
    await house.server.start()
    client = await house.raw()
    await client.no('LOGIN bob@here.test "wrong"')
    await client.ok(f'LOGIN bob@here.test "{PASSWORD}"')
    await client.ok("SELECT INBOX")
    await client.no("SELECT Nowhere")
    text = exposition(registry).decode()
    for line in (
        'barid_mss_sessions{protocol="imap"} 1.0',
        'barid_mss_commands_total{command="SELECT",outcome="OK",protocol="imap"} 1.0',
        'barid_mss_commands_total{command="SELECT",outcome="NO",protocol="imap"} 1.0',
        'barid_mss_logins_total{outcome="credentials",protocol="imap"} 1.0',
        'barid_mss_logins_total{outcome="ok",protocol="imap"} 1.0',
        "barid_mss_views 1.0",
    ):
        assert line in text, line


async def test_doors_that_are_closed_stay_closed(tmp_path: Path, nats_url: str, bus: Bus) -> None:
    async with open_house(tmp_path, nats_url, bus, pop3_port=None, pop3s_port=None) as house:
        assert house.server is not None
        assert set(house.server.ports()) == {"imap", "imaps"}
        assert house.server.checks()["listeners"] == "ok"


def test_default_ports(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    assert (settings.imap_port, settings.imaps_port, settings.pop3_port, settings.pop3s_port) == (143, 993, 110, 995)
    assert settings.journal == tmp_path / "journal"
