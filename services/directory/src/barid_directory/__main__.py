"""`python -m barid_directory`: settings, doors, service."""

from barid_runtime.bus.nats import connect
from barid_runtime.bus.port import Bus
from barid_runtime.clock import SystemClock
from barid_runtime.ids import new_id
from barid_runtime.run import serve
from barid_runtime.service import Service

from .adapters.argon2 import Argon2Hasher
from .adapters.tables import open_store
from .handlers.service import DirectoryService
from .settings import Settings


def build(settings: Settings) -> Service:
    async def open_bus() -> Bus:
        return await connect(settings.bus, name="directory")

    return DirectoryService(
        open_bus=open_bus,
        open_store=lambda: open_store(settings.place),
        hasher=Argon2Hasher(threads=settings.hashing_threads),
        clock=SystemClock(),
        new_id=new_id,
        postmaster=settings.postmaster,
        max_failed_logins=settings.max_failed_logins,
    )


def main() -> None:
    serve(build, Settings)


if __name__ == "__main__":
    main()
