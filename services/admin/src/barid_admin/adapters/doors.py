"""Opens the doors of the embedded size: bus, and the journal on a local directory."""

from barid_runtime.bus.nats import connect
from barid_runtime.journal.bodies import LocalBodies

from ..ports import Doors, OpenDoors
from ..settings import Settings


def embedded(settings: Settings) -> OpenDoors:
    async def open_doors() -> Doors:
        bus = await connect(settings.bus, name="admin")
        bodies = LocalBodies(settings.journal)

        async def close() -> None:
            bodies.close()
            await bus.close()

        return Doors(bus, bodies, close)

    return open_doors
