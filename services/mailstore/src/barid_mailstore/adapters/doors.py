"""Opens all doors: bus, tables, journal."""

from contextlib import AsyncExitStack

from barid_contracts.status import Findings
from barid_runtime.bus.nats import connect
from barid_runtime.clock import Clock, SystemClock
from barid_runtime.inspection import inspected
from barid_runtime.journal.door import open_bodies, open_journal, open_keeper
from barid_runtime.journal.gauges import expose
from barid_runtime.journal.publisher import Publisher
from barid_runtime.outbox import OutboxPump, directory_resolver, watch

from ..ports.doors import Doors, OpenDoors
from ..settings import Settings
from .packs import JournalPacks
from .tables.duties import duties
from .tables.store import open_store


def embedded(settings: Settings, *, clock: Clock | None = None) -> OpenDoors:
    """What opens them. A failure closes those that were open already, so it may be called again."""

    async def open_doors() -> Doors:
        time = clock or SystemClock()
        async with AsyncExitStack() as stack:
            bus = await connect(settings.bus, name="mailstore")
            stack.push_async_callback(bus.close)
            store, outbox, database = await open_store(settings.place, time)
            stack.push_async_callback(database.close)
            journal = open_journal(settings.journal_place, "mailstore", time)
            publisher = Publisher(journal, bus, time)
            bodies = open_bodies(settings.journal_place)
            stack.callback(bodies.close)
            pump = OutboxPump(outbox, directory_resolver(bus), journal, bodies, time)
            expose(journal, publisher, settings.journal_place.root)
            await publisher.start()
            stack.push_async_callback(publisher.close)
            stack.push_async_callback(journal.close)
            watch(pump, "mailstore")
            pump.start()
            stack.push_async_callback(pump.close)
            packs = JournalPacks(open_keeper(settings.journal_place, time))
            closing = stack.pop_all()

        def problems() -> dict[str, str]:
            return {
                "bus": "ok" if bus.connected else "not connected",
                "database": "ok" if getattr(database, "connected", True) else "not connected",
                "journal": journal.problem or "ok",
            }

        async def inspect() -> Findings:
            return await inspected(
                database=database,
                place=settings.place.shown,
                journal=journal,
                holder=store.duties.holder,
                leases=duties if settings.place.url else None,
            )

        return Doors(bus, store, packs, pump, time, problems, inspect, closing.aclose)

    return open_doors
