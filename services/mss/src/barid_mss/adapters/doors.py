"""Opens all doors: bus, journal and bodies, sockets."""

from contextlib import AsyncExitStack

from barid_runtime.bus.nats import connect
from barid_runtime.certificates import Certificates
from barid_runtime.clock import SystemClock
from barid_runtime.journal.door import open_bodies, open_journal
from barid_runtime.journal.gauges import expose
from barid_runtime.journal.publisher import Publisher
from barid_runtime.tls import listeners_pair

from ..ports import Doors, OpenDoors
from ..settings import Settings
from .listeners import listeners


def embedded(settings: Settings) -> OpenDoors:
    """What opens them. A failure closes those that were open already, so it may be called again."""

    async def open_doors() -> Doors:
        clock = SystemClock()
        async with AsyncExitStack() as stack:
            bus = await connect(settings.bus, name="mss")
            stack.push_async_callback(bus.close)
            bodies = open_bodies(settings.journal_place)
            stack.callback(bodies.close)
            journal = open_journal(settings.journal_place, "mss", clock)
            publisher = Publisher(journal, bus, clock, owes=False)
            expose(journal, publisher, settings.journal_place.root)
            await publisher.start()
            stack.push_async_callback(publisher.close)
            stack.push_async_callback(journal.close)
            closing = stack.pop_all()
        names = (settings.hostname, "localhost", "127.0.0.1")
        certificates = Certificates(
            "mss",
            lambda: listeners_pair(
                settings.tls_certificate, settings.tls_key, settings.data / "tls", names, clock.now()
            ),
        )
        open_listener = listeners(settings.host, certificates.context)
        return Doors(bus, journal, bodies, clock, open_listener, closing.aclose)

    return open_doors
