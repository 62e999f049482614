"""Fixtures of a cluster of three real nats-servers, with TLS and a user for each service."""

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from barid_runtime.bus.access import Access


@dataclass(frozen=True, slots=True)
class BusCluster:
    """urls: of each server. ca: what vouches for them. Everybody's password is `<user>-secret`."""

    urls: tuple[str, ...]
    ca: Path

    def access(self, user: str, *, replicas: int = 3, server: int | None = None) -> "Access":
        """server: 0 to 2 for who wants that one first; it hears of the others there."""
        from barid_runtime.bus.access import Access

        urls = self.urls if server is None else (self.urls[server],)
        return Access(",".join(urls), user, f"{user}-secret", ca=self.ca, replicas=replicas)


@pytest.fixture(scope="session")
def bus_cluster() -> Iterator[BusCluster]:
    """For the whole session: tests that kill a server start their own."""
    from barid_runtime.bus.embedded_cluster import EmbeddedNatsCluster
    from barid_runtime.bus.permissions import PERMISSIONS
    from barid_runtime.bus.server_config import ServerTls

    from .certificates import Authority

    started, stopping = threading.Event(), threading.Event()
    failure: list[BaseException] = []

    async def keep(cluster: EmbeddedNatsCluster) -> None:
        try:
            await cluster.start()
        except BaseException as error:
            failure.append(error)
            raise
        finally:
            started.set()
        await asyncio.to_thread(stopping.wait)
        await cluster.stop()

    with tempfile.TemporaryDirectory(prefix="barid-nats-") as folder:
        authority = Authority(Path(folder) / "tls")
        pair = authority.issue("nats", "127.0.0.1")
        users = {name: f"{name}-secret" for name in PERMISSIONS}
        cluster = EmbeddedNatsCluster(
            Path(folder), users, tls=ServerTls(pair.certificate, pair.key), ca=authority.certificate
        )
        # A loop of its own, for it outlives those of tests; and the servers end with the thread that started them.
        thread = threading.Thread(target=lambda: asyncio.run(keep(cluster)), name="bus-cluster")
        thread.start()
        started.wait()
        try:
            if failure:
                raise failure[0]
            yield BusCluster(tuple(server.url for server in cluster.servers), authority.certificate)
        finally:
            stopping.set()
            thread.join()
