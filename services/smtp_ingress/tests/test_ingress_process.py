"""The process as an operator starts it: its settings, its rights on the bus, its end."""

import asyncio
import os
import signal
import smtplib
import ssl
import sys
from pathlib import Path

from barid_directory.adapters.argon2 import Argon2Hasher
from barid_directory.adapters.tables import open_store
from barid_directory.handlers.bootstrap import bootstrap
from barid_directory.handlers.service import DirectoryService
from barid_runtime.bus.embedded import EmbeddedNats
from barid_runtime.bus.nats import connect
from barid_runtime.clock import SystemClock
from barid_runtime.database.door import Place
from barid_runtime.ids import new_id

from .ingress_rig import LOGINS, Client, Published

BODY = "From: Anna <anna@here.test>\r\nTo: ben@here.test\r\nSubject: hello\r\n\r\nHow are you?\r\n"


async def started(environment: dict[str, str]) -> tuple[asyncio.subprocess.Process, bytes]:
    """The process, and the log line that says so."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "barid_smtp_ingress", env=os.environ | environment, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    async with asyncio.timeout(20):
        while b'"event":"started"' not in (line := await process.stderr.readline()):
            assert line, "it ended"
    return process, line


async def test_its_rights_on_the_bus_are_enough_and_sigterm_is_a_drain(tmp_path: Path, free_port: int) -> None:
    users = {"smtp_ingress": "secret-1", "directory": "secret-2", "barid": "secret-3"}
    nats = EmbeddedNats(tmp_path / "nats", users=users)
    await nats.start()
    operator = await connect(nats.url, user="barid", password="secret-3")
    directory = DirectoryService(
        open_bus=lambda: connect(nats.url, user="directory", password="secret-2"),
        open_store=lambda: open_store(Place(tmp_path / "directory.db")),
        hasher=Argon2Hasher(threads=1, time_cost=1, memory_kib=8),
        clock=SystemClock(),
        new_id=new_id,
        postmaster="",
    )
    await directory.start()
    await bootstrap(operator, LOGINS)
    published = Published(operator)
    await published.start()
    process, _ = await started(
        {
            "BARID_DATA": str(tmp_path / "data"),
            "BARID_BUS_URL": nats.url,
            "BARID_BUS_USER": "smtp_ingress",
            "BARID_BUS_PASSWORD": "secret-1",
            "BARID_HOSTNAME": "mx.here.test",
            "BARID_SMTP_PORT": "0",
            "BARID_SUBMISSION_PORT": str(free_port),
            "BARID_SUBMISSIONS_PORT": "0",
            "BARID_LMTP_PORT": "0",
        }
    )
    try:

        def submit() -> None:
            with smtplib.SMTP("127.0.0.1", free_port, timeout=10) as client:
                context = ssl.create_default_context(cafile=str(tmp_path / "data" / "tls" / "certificate.pem"))
                context.check_hostname = False
                client.starttls(context=context)
                client.login("anna@here.test", "secret-anna")
                client.sendmail("anna@here.test", ["ben@here.test", "far@there.test"], BODY)

        await asyncio.to_thread(submit)
        assert (await published.mail()).mail_id == (await published.mail("remote")).mail_id
        idle = Client(*await asyncio.open_connection("127.0.0.1", free_port))
        assert (await idle.reply()).startswith("220 mx.here.test ESMTP")
        process.send_signal(signal.SIGTERM)
        assert (await idle.rest()).startswith(b"421 4.3.2")
        await idle.close()
        _, log = await process.communicate()
        assert process.returncode == 0, log.decode()
        assert b"secret-" not in log
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await directory.drain()
        await operator.close()
        await nats.stop()
