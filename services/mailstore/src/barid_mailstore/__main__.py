"""The mailstore as a process: settings, doors, handlers, serve, drain."""

from barid_runtime.metrics import Metrics
from barid_runtime.run import serve
from barid_runtime.service import Service

from .adapters.doors import embedded
from .handlers.service import Mailstore
from .settings import Settings


def build(settings: Settings) -> Service:
    return Mailstore(settings, embedded(settings), Metrics("mailstore"))


def main() -> None:
    serve(build, Settings)


if __name__ == "__main__":
    main()
