"""Opens all doors: bus, tables, journal, the DNS, sockets."""

import random
from contextlib import AsyncExitStack

from barid_contracts.status import Findings
from barid_runtime.bus.nats import connect
from barid_runtime.clock import Clock, SystemClock
from barid_runtime.database.door import open_at
from barid_runtime.ids import new_id
from barid_runtime.inspection import inspected
from barid_runtime.journal.door import open_bodies, open_journal, open_keeper
from barid_runtime.journal.gauges import expose
from barid_runtime.journal.publisher import Publisher
from barid_runtime.metrics import Metrics
from barid_runtime.outbox import OutboxPump, directory_resolver, watch

from ..ports.doors import Doors, OpenDoors
from ..settings import Settings
from .dns import resolver
from .smtp.dialer import SmtpDialer
from .smtp.timeouts import Timeouts
from .tables.memory import TableMemory
from .tables.outbox import TableOutbox
from .tables.queue import TableQueue
from .tables.replicas import TableReplicas, leases

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
            journal = open_journal(settings.journal_place, "relay", time)
            publisher = Publisher(journal, bus, time)
            bodies = open_bodies(settings.journal_place)
            stack.callback(bodies.close)
            pump = OutboxPump(TableOutbox(database, owner, alone=alone), directory_resolver(bus), journal, bodies, time)
            expose(journal, publisher, settings.journal_place.root)
            await publisher.start()
            stack.push_async_callback(publisher.close)
            stack.push_async_callback(journal.close)
            watch(pump, "relay")
            pump.start()
            stack.push_async_callback(pump.close)
            closing = stack.pop_all()

        def problems() -> dict[str, str]:
            return {"bus": "ok" if bus.connected else "not connected", "journal": journal.problem or "ok"}

        async def inspect() -> Findings:
            return await inspected(database=database, place=place.shown, journal=journal, holder=owner, leases=leases)

        return Doors(
            bus=bus,
            queue=TableQueue(database, time, owner),
            memory=TableMemory(database),
            replicas=None if alone else TableReplicas(database, owner),
            packs_open=open_keeper(settings.journal_place, time).still_open,
            outbox=pump,
            bodies=bodies,
            resolver=resolver(settings),
            dialer=SmtpDialer(settings.hostname, dial, timeouts=timeouts, authorities=settings.smarthost_authorities),
            clock=time,
            shuffle=random.shuffle,
            problems=problems,
            inspect=inspect,
            close=closing.aclose,
        )

    return open_doors
