"""Health: what probes and Prometheus are told, and that nobody can make it a burden."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from barid_runtime.health import CONNECTIONS_MOST, HealthServer
from barid_runtime.metrics import Metrics, exposition


class Fake:
    """A service whose checks the test sets."""

    name = "fake"

    def __init__(self) -> None:
        self.answers = {"bus": "ok"}

    async def start(self) -> None: ...

    async def drain(self) -> None: ...

    def checks(self) -> dict[str, str]:
        if not self.answers:
            raise RuntimeError("the database password is swordfish")
        return self.answers

    def ports(self) -> dict[str, int]:
        return {}


@pytest.fixture
def service() -> Fake:
    return Fake()


@pytest.fixture
async def health(service: Fake) -> AsyncIterator[HealthServer]:
    server = HealthServer([service])
    await server.start()
    yield server
    await server.close()


async def ask(port: int, request: bytes) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    reply = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    head, _, body = reply.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), body


async def get(port: int, path: str) -> tuple[int, bytes]:
    return await ask(port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


async def test_alive_ready_and_measured(health: HealthServer) -> None:
    assert await get(health.port, "/livez") == (200, b"ok\n")
    status, body = await get(health.port, "/readyz?verbose")
    assert (status, json.loads(body)) == (200, {"ready": True, "draining": False, "checks": {"fake": {"bus": "ok"}}})
    status, body = await get(health.port, "/metrics")
    assert status == 200
    assert b"process_resident_memory_bytes" in body
    assert await ask(health.port, b"HEAD /livez HTTP/1.1\r\n\r\n") == (200, b"")


async def test_not_ready_says_why(health: HealthServer, service: Fake) -> None:
    service.answers = {"bus": "ok", "journal": "no space left"}
    status, body = await get(health.port, "/readyz")
    assert status == 503
    assert json.loads(body)["checks"]["fake"]["journal"] == "no space left"
    service.answers = {}
    status, body = await get(health.port, "/readyz")
    assert status == 503
    assert b"swordfish" not in body
    service.answers = {"bus": "ok"}
    health.draining = True
    assert (await get(health.port, "/readyz"))[0] == 503
    assert (await get(health.port, "/livez"))[0] == 200


async def test_not_started_is_not_ready(health: HealthServer) -> None:
    health.started = lambda service: False
    status, body = await get(health.port, "/readyz")
    assert (status, json.loads(body)["checks"]) == (503, {"fake": {"start": "not started yet"}})


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /nowhere HTTP/1.1\r\n\r\n", 404),
        (b"POST /livez HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (b"GET /livez\r\n\r\n", 400),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", 400),
    ],
)
async def test_bad_requests(health: HealthServer, request_: bytes, status: int) -> None:
    assert (await ask(health.port, request_))[0] == status


async def test_a_crowd_that_says_nothing_is_bounded(health: HealthServer) -> None:
    crowd = [await asyncio.open_connection("127.0.0.1", health.port) for _ in range(CONNECTIONS_MOST + 10)]
    await asyncio.sleep(0.1)
    assert len(health._open) <= CONNECTIONS_MOST
    for _, writer in crowd:
        writer.close()
    await asyncio.sleep(0.1)
    assert (await get(health.port, "/livez"))[0] == 200


def test_metrics_have_names_alike_and_labels_with_bounds() -> None:
    registry = CollectorRegistry()
    metrics = Metrics("relay", registry)
    metrics.counter("attempts", "Tries", ["outcome"]).labels("ok").inc()
    metrics.gauge("queue", "Waiting", value=lambda: 7.0)
    metrics.seconds("dial", "Time to connect").observe(0.02)
    text = exposition(registry).decode()
    assert 'barid_relay_attempts_total{outcome="ok"} 1.0' in text
    assert "barid_relay_queue 7.0" in text
    assert 'barid_relay_dial_seconds_bucket{le="0.025"} 1.0' in text
    with pytest.raises(ValueError, match="address"):
        metrics.counter("mails", "By address", ["address"])
