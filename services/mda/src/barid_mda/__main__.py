"""`python -m barid_mda`: settings, doors, service."""

from barid_runtime.bus.nats import connect
from barid_runtime.clock import SystemClock
from barid_runtime.run import serve
from barid_runtime.service import Service

from .adapters.accounts import RememberedAccounts
from .adapters.mailstore import BusMailstore
from .adapters.scripts import RememberedScripts
from .handlers.service import Doors, MdaService
from .policy.delivery import Site
from .settings import Settings


def build(settings: Settings) -> Service:
    async def open_doors() -> Doors:
        bus = await connect(settings.bus, name="mda")
        accounts = RememberedAccounts(bus)
        await accounts.open()
        return Doors(bus, accounts, RememberedScripts(bus), BusMailstore(bus))

    return MdaService(
        open_doors=open_doors,
        clock=SystemClock(),
        site=Site(settings.hostname, settings.create_details),
        batches=settings.batches,
        gather=settings.gather_ms / 1000,
    )


def main() -> None:
    serve(build, Settings)


if __name__ == "__main__":
    main()
