"""The directory as a process of its own: it starts, answers, and ends on SIGTERM."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from barid_contracts.base import Empty
from barid_contracts.directory import DOMAIN_LIST, DOMAIN_PUT, Domain
from barid_runtime.bus.port import Bus, NoResponders
from barid_runtime.bus.typed import call


async def test_start_answer_stop(nats_url: str, bus: Bus, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "barid_directory",
        env={**os.environ, "BARID_DATA": str(tmp_path), "BARID_BUS_URL": nats_url, "BARID_LOG_LEVEL": "warning"},
    )
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    await call(bus, DOMAIN_PUT, Domain(name="a.test"))
                    break
                except NoResponders:
                    await asyncio.sleep(0.05)
        assert [domain.name for domain in (await call(bus, DOMAIN_LIST, Empty())).domains] == ["a.test"]
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (tmp_path / "directory.db").exists()
