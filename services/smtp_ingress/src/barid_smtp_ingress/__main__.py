"""`python -m barid_smtp_ingress`: settings, doors, service."""

from barid_runtime.bus.nats import connect
from barid_runtime.bus.port import Bus
from barid_runtime.certificates import Certificates
from barid_runtime.clock import SystemClock
from barid_runtime.journal.door import open_journal
from barid_runtime.journal.gauges import expose
from barid_runtime.journal.publisher import Publisher
from barid_runtime.run import serve
from barid_runtime.service import Service
from barid_runtime.tls import listeners_pair

from .adapters.known_file import KnownFile
from .adapters.listeners import listeners
from .adapters.patient_bus import PatientBus
from .handlers.service import IngressService
from .settings import Settings


def build(settings: Settings) -> Service:
    async def open_bus() -> Bus:
        return await connect(settings.bus, name="smtp_ingress")

    clock = SystemClock()
    bus = PatientBus(open_bus)
    journal = open_journal(settings.journal_place, "smtp_ingress", clock)
    names = (settings.hostname, "localhost", "127.0.0.1")
    certificates = Certificates(
        "smtp_ingress",
        lambda: listeners_pair(settings.tls_certificate, settings.tls_key, settings.data / "tls", names, clock.now()),
    )
    publisher = Publisher(journal, bus, clock)
    expose(journal, publisher, settings.journal_place.root)
    return IngressService(
        settings,
        bus=bus,
        start_bus=bus.start,
        journal=journal,
        publisher=publisher,
        known=KnownFile(settings.known_file),
        open_listener=listeners(settings.host, certificates.context),
        clock=clock,
    )


def main() -> None:
    serve(build, Settings)


if __name__ == "__main__":
    main()
