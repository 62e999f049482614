"""How the command speaks to the `barid up` that runs on a data folder: one order, one answer, by a socket in it.

The order and the answer are a line of JSON each: `{"scale": {"mda": 3}}`, and `{"replicas": {"mda": 3}}` or
`{"error": "…"}`. Whoever may open the socket (its owner) may kill the processes anyway, so there is no password.
"""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from barid_runtime.logging import get_logger

from .crew import CrewError
from .plan import PlanError
from .ports import PortError

NAME = "control.sock"

PATH_MOST = 100
"""Octets of a socket's name: the kernel's limit is 108."""

ORDER_MOST = 64 * 1024

Json = dict[str, Any]

log = get_logger("barid.control")


class NotRunning(Exception):
    """Nobody answers in that folder; the text says so."""


class Control:
    """The side of `barid up`. answer: may raise PlanError, PortError and CrewError, whose texts are told."""

    def __init__(self, folder: Path, answer: Callable[[Json], Awaitable[Json]]) -> None:
        self._folder = folder
        self._answer = answer
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Nobody else runs here (the folder's lock), so a socket that is there is of one who was killed. The umask
        shields it."""
        (self._folder / NAME).unlink(missing_ok=True)
        with _reachable(self._folder) as path:
            self._server = await asyncio.start_unix_server(self._serve, path, limit=ORDER_MOST)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            (self._folder / NAME).unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(json.dumps(await self._told(await reader.readline())).encode() + b"\n")
            await writer.drain()
        except (OSError, ValueError):
            pass  # whoever asked has left, or says too much
        finally:
            writer.close()

    async def _told(self, line: bytes) -> Json:
        try:
            order = json.loads(line)
        except ValueError:
            return {"error": "an order is a line of JSON"}
        if not isinstance(order, dict):
            return {"error": "an order is a JSON object"}
        try:
            return await self._answer(order)
        except (PlanError, PortError, CrewError) as error:
            return {"error": str(error)}
        except Exception:
            log.exception("order failed")
            return {"error": "it failed; the log of `barid up` says why"}


def ask(folder: Path, order: Json, timeout: float) -> Json:
    """Raises NotRunning; TimeoutError."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(timeout)
        try:
            with _reachable(folder) as path:
                asking.connect(path)
            asking.sendall(json.dumps(order).encode() + b"\n")
            with asking.makefile("rb") as answers:
                answer = answers.readline()
        except TimeoutError:
            raise
        except OSError as error:
            raise NotRunning(f"no running system is known in {folder}") from error
    if not answer:
        raise NotRunning(f"the system in {folder} has ended")
    return dict(json.loads(answer))


@contextlib.contextmanager
def _reachable(folder: Path) -> Iterator[str]:
    """A name of the socket that is short enough: also of a folder deep down, where there is /proc."""
    path = str(folder / NAME)
    if len(os.fsencode(path)) <= PATH_MOST or not sys.platform.startswith("linux"):
        yield path
        return
    opened = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{opened}/{NAME}"
    finally:
        os.close(opened)
