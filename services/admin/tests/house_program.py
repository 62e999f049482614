"""Runs the services that the API asks, and the API, in one process on the real parts: `python house_program.py DATA`.

Prints one line of JSON once all have started: the ports by service and listener, and the bus's under `bus`. Mail for
slow.test and late.test is tried, in vain; mail for taken.test is taken by a foreign MTA, which refuses
`nobody@taken.test`; other domains' is captured. Ends in order at SIGTERM.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import uvloop
from aiosmtpd.smtp import SMTP

import barid_admin.__main__
import barid_admin.settings
import barid_directory.__main__
import barid_directory.settings
import barid_mailstore.__main__
import barid_mailstore.settings
import barid_mda.__main__
import barid_mda.settings
import barid_relay.__main__
import barid_relay.settings
import barid_smtp_ingress.__main__
import barid_smtp_ingress.settings
from barid_runtime import logging
from barid_runtime.bus.embedded import EmbeddedNats
from barid_runtime.run import Runner

KEY = "key-of-the-house"
READER = "key-of-a-reader"
READER_HASH = "6524c7f37dad2bad18dbedd2914908c13376680b4572a2979c547a9eb8e3632b"

SERVICES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "directory": (barid_directory.__main__, barid_directory.settings, {}),
    "mailstore": (barid_mailstore.__main__, barid_mailstore.settings, {}),
    "relay": (
        barid_relay.__main__,
        barid_relay.settings,
        {
            "outbound": "capture",
            "routes": {"slow.test": "127.0.0.1:1", "late.test": "127.0.0.1:1", "taken.test": "127.0.0.1:{foreign}"},
        },
    ),
    "mda": (barid_mda.__main__, barid_mda.settings, {}),
    "smtp_ingress": (
        barid_smtp_ingress.__main__,
        barid_smtp_ingress.settings,
        {
            "smtp_port": 0,
            "submission_port": 0,
            "submissions_port": None,
            "lmtp_port": None,
            "allow_plaintext": True,
            "relay_networks": ("127.0.0.0/8",),
        },
    ),
    "admin": (
        barid_admin.__main__,
        barid_admin.settings,
        {"admin_port": 0, "admin_api_key": KEY, "admin_reader_hashes": (READER_HASH,)},
    ),
}


class Foreign:
    """An MTA of somebody else."""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("nobody@"):
            return "550 5.1.1 We know nobody"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        return "250 2.0.0 Taken"


async def main(data: Path) -> None:
    logging.configure("warning", "console")
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    nats = EmbeddedNats(data / "nats", users=dict.fromkeys(SERVICES, "secret"))
    await nats.start()
    foreign = await asyncio.get_running_loop().create_server(lambda: SMTP(Foreign()), "127.0.0.1", 0)
    port = foreign.sockets[0].getsockname()[1]
    routes = SERVICES["relay"][2]["routes"]
    SERVICES["relay"][2]["routes"] = {domain: target.format(foreign=port) for domain, target in routes.items()}
    services = [
        program.build(
            settings.Settings(
                data=data, bus_url=nats.url, bus_user=name, bus_password="secret", hostname="mx.here.test", **more
            )
        )
        for name, (program, settings, more) in SERVICES.items()
    ]
    runner = Runner(services)
    try:
        await runner.start()
        print(json.dumps({**runner.ports(), "bus": {"nats": nats.port}}), flush=True)
        await stopping.wait()
    finally:
        await runner.drain()
        foreign.close()
        await nats.stop()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop_runner:
        loop_runner.run(main(Path(sys.argv[1])))
