"""Opens the doors: bus, and the journal's bodies."""

from barid_runtime.bus.nats import connect
from barid_runtime.journal.door import open_bodies

from ..ports import Doors, OpenDoors
from ..settings import Settings


def embedded(settings: Settings) -> OpenDoors:
    async def open_doors() -> Doors:
        bus = await connect(settings.bus, name="admin")
        bodies = open_bodies(settings.journal_place)

        async def close() -> None:
            bodies.close()
            await bus.close()

        return Doors(bus, bodies, close)

    return open_doors
