"""The relay as a process: settings, doors, handlers, serve, drain."""

from barid_runtime.metrics import Metrics
from barid_runtime.run import serve
from barid_runtime.service import Service

from .adapters.doors import opener
from .handlers.service import Relay
from .settings import Settings


def build(settings: Settings) -> Service:
    metrics = Metrics("relay")
    return Relay(settings, opener(settings, metrics), metrics)


def main() -> None:
    serve(build, Settings)


if __name__ == "__main__":
    main()
