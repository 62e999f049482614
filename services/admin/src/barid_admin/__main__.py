"""`python -m barid_admin`: settings, doors, API, serve, drain."""

from barid_runtime.run import serve
from barid_runtime.service import Service

from .adapters.doors import embedded
from .adapters.service import AdminService, Api, MakeApi
from .policy.keys import Keys, hash_of
from .ports import Doors
from .settings import Settings


def build(settings: Settings) -> Service:
    full = [bytes.fromhex(text) for text in settings.admin_key_hashes]
    if key := settings.admin_api_key.get_secret_value():
        full.append(hash_of(key))
    keys = Keys(full, [bytes.fromhex(text) for text in settings.admin_reader_hashes])

    def load_api() -> MakeApi:
        from barid_runtime.clock import SystemClock

        from .handlers.api import make_api
        from .handlers.desk import Desk

        def make(doors: Doors) -> Api:
            app, waiting = make_api(Desk(doors.bus, doors.bodies, SystemClock()), keys)
            return app, waiting.close

        return make

    return AdminService(settings, embedded(settings), load_api)


def main() -> None:
    serve(build, Settings)


if __name__ == "__main__":
    main()
