"""Several nats-servers on this machine that keep each stream together: for trying the cluster size, and for tests.

Each has its own folder, `<data>/<n>`, and what a crash leaves there is as of one server alone (embedded.py): one that
comes back with nothing gets its streams from the others.
"""

import asyncio
import secrets
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from .access import Access
from .embedded import MEMORY_LIMIT, EmbeddedNats
from .nats import NatsBus, connect
from .permissions import OPERATOR
from .port import BusError, BusUnavailable
from .server_config import Routes, ServerTls

SERVERS = 3
"""The fewest of which one may be lost."""

LEADER_SECONDS = 20.0
"""Until the servers have agreed on a leader: usually one or two."""

ASK_SECONDS = 0.2
"""Nobody answers while there is no leader."""

PAUSE_SECONDS = 0.02


class EmbeddedNatsCluster:
    """Starts and stops the servers; each of `servers` can be killed and started by itself.

    ports: of clients; route_ports: between the servers; any free ones where they aren't given. users, tls: as of
    EmbeddedNats. ca: with which the servers' certificate is checked.
    """

    def __init__(
        self,
        data: Path,
        users: Mapping[str, str] | None = None,
        *,
        ports: Sequence[int] = (0,) * SERVERS,
        route_ports: Sequence[int] = (),
        tls: ServerTls | None = None,
        ca: Path | None = None,
        die_with_parent: bool = True,
        memory_limit: str = MEMORY_LIMIT,
    ) -> None:
        peers = tuple(route_ports) or free_ports(len(ports))
        password = secrets.token_urlsafe(24)
        self._operator = (OPERATOR, users[OPERATOR]) if users else ("", "")
        self._ca = ca
        self.servers = [
            EmbeddedNats(
                data / str(number),
                port,
                users,
                routes=Routes(f"barid-{number}", peer, peers, password),
                tls=tls,
                die_with_parent=die_with_parent,
                memory_limit=memory_limit,
            )
            for number, (port, peer) in enumerate(zip(ports, peers, strict=True), start=1)
        ]

    @property
    def url(self) -> str:
        """Of all, comma-separated."""
        return ",".join(server.url for server in self.servers)

    async def start(self) -> None:
        """Returns when streams can be made. Raises BusUnavailable."""
        await asyncio.gather(*[server.start() for server in self.servers])
        await self.agreed()

    async def agreed(self) -> None:
        """Until the servers have a leader. Raises BusUnavailable."""
        user, password = self._operator
        try:
            async with asyncio.timeout(LEADER_SECONDS):
                bus = await connect(Access(self.url, user, password, ca=self._ca), name="cluster")
                try:
                    while not await _has_leader(bus):  # noqa: ASYNC110 - nobody calls us
                        await asyncio.sleep(PAUSE_SECONDS)
                finally:
                    await bus.close()
        except TimeoutError:
            raise BusUnavailable(f"the bus's servers found no leader in {LEADER_SECONDS:.0f} s") from None

    async def stop(self) -> None:
        await asyncio.gather(*[server.stop() for server in self.servers])


async def _has_leader(bus: NatsBus) -> bool:
    """Only the leader of them all answers this."""
    try:
        return b'"error"' not in await bus.request("$JS.API.INFO", b"", timeout=ASK_SECONDS)
    except BusError:
        return False


def free_ports(count: int) -> tuple[int, ...]:
    """Ports that nobody has at the moment."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return tuple(int(probe.getsockname()[1]) for probe in probes)
