"""The mail storage server as a process: settings, doors, handlers, serve, drain."""

from barid_runtime.metrics import Metrics
from barid_runtime.run import serve
from barid_runtime.service import Service

from .adapters.doors import embedded
from .handlers.service import MailStorageServer
from .settings import Settings


def build(settings: Settings) -> Service:
    return MailStorageServer(settings, embedded(settings), Metrics("mss"))


def main() -> None:
    serve(build, Settings)


if __name__ == "__main__":
    main()
