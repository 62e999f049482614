"""Opens all doors: bus, tables, journal on a local directory, the DNS, sockets."""

import asyncio
import random
from collections.abc import Collection
from contextlib import AsyncExitStack

from barid_runtime.bus.nats import connect
from barid_runtime.clock import Clock, SystemClock
from barid_runtime.database.door import open_at
from barid_runtime.ids import new_id
from barid_runtime.journal.bodies import LocalBodies
from barid_runtime.journal.folder import writer_folders
from barid_runtime.journal.packs import PackJournal
from barid_runtime.journal.publisher import Publisher
from barid_runtime.metrics import Metrics
from barid_runtime.outbox import OutboxPump, directory_resolver

from ..ports.doors import Doors, OpenDoors
from ..settings import Settings
from .dns import resolver
from .smtp.dialer import SmtpDialer
from .smtp.timeouts import Timeouts
from .tables.memory import TableMemory
from .tables.outbox import TableOutbox
from .tables.queue import TableQueue
from .tables.replicas import TableReplicas

MIGRATIONS = "barid_relay.adapters.migrations"


def opener(
    settings: Settings, metrics: Metrics, *, clock: Clock | None = None, timeouts: Timeouts | None = None
) -> OpenDoors:
    """What opens them. A failure closes those that were open already, so it may be called again."""

    dial = metrics.seconds("dial", "Connecting, greeting, TLS and log-in, failures included")

    async def open_doors() -> Doors:
        time = clock or SystemClock()
        async with AsyncExitStack() as stack:
            bus = await connect(settings.bus, name="relay")
            stack.push_async_callback(bus.close)
            place = settings.place
            # A file has one owner; a shared database may have any number of relays.
            alone, owner = not place.url, new_id()
            database = await open_at(place, MIGRATIONS)
            stack.push_async_callback(database.close)
            root = settings.data / "journal"
            journal = PackJournal(root, "relay", time)
            publisher = Publisher(journal, bus, time)
            bodies = LocalBodies(root)
            stack.callback(bodies.close)
            pump = OutboxPump(TableOutbox(database, owner, alone=alone), directory_resolver(bus), journal, bodies, time)
            await publisher.start()
            stack.push_async_callback(publisher.close)
            stack.push_async_callback(journal.close)
            pump.start()
            stack.push_async_callback(pump.close)
            closing = stack.pop_all()

        async def packs_open(names: Collection[str]) -> set[str]:
            return await asyncio.to_thread(still_open, names)

        def still_open(names: Collection[str]) -> set[str]:
            there = [(name, root / name) for name in names if (root / name).exists()]
            found = {name for name, path in there if not path.with_suffix(".closed").exists()}
            # Without any writer the journal is away (not mounted), and nothing can be said of its packs.
            return found if writer_folders(root) else set(names)

        def problems() -> dict[str, str]:
            return {"bus": "ok" if bus.connected else "not connected", "journal": journal.problem or "ok"}

        return Doors(
            bus=bus,
            queue=TableQueue(database, time, owner),
            memory=TableMemory(database),
            replicas=None if alone else TableReplicas(database, owner),
            packs_open=packs_open,
            outbox=pump,
            bodies=bodies,
            resolver=resolver(settings),
            dialer=SmtpDialer(settings.hostname, dial, timeouts=timeouts, authorities=settings.smarthost_authorities),
            clock=time,
            shuffle=random.shuffle,
            problems=problems,
            close=closing.aclose,
        )

    return open_doors
