"""Orders to a running `barid up`."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from barid.control import NAME, Control, NotRunning, ask
from barid.plan import PlanError

Json = dict[str, Any]


async def answer(order: Json) -> Json:
    if order == {"scale": {"mda": 0}}:
        raise PlanError("mda=0: too few")
    if order == {"fall": "over"}:
        raise RuntimeError("secret")
    return {"heard": order}


@pytest_asyncio.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Path]:
    """Deeper down than a socket's name may be long."""
    folder = tmp_path / ("x" * 100) / "data"
    folder.mkdir(parents=True)
    control = Control(folder, answer)
    await control.open()
    yield folder
    await control.close()
    assert not (folder / NAME).exists()


async def order(folder: Path, told: Json) -> Json:
    return await asyncio.to_thread(ask, folder, told, 5.0)


async def test_an_order_is_answered(folder: Path) -> None:
    assert await order(folder, {"scale": {"mda": 2}}) == {"heard": {"scale": {"mda": 2}}}


async def test_what_can_not_be_done_is_said(folder: Path) -> None:
    assert await order(folder, {"scale": {"mda": 0}}) == {"error": "mda=0: too few"}


async def test_a_fault_of_ours_is_logged_and_not_told(folder: Path) -> None:
    assert await order(folder, {"fall": "over"}) == {"error": "it failed; the log of `barid up` says why"}


async def test_a_socket_of_one_who_was_killed_is_nobody(folder: Path, tmp_path: Path) -> None:
    (folder / NAME).unlink()
    with pytest.raises(NotRunning):
        await order(folder, {})
    left = tmp_path / NAME
    server = await asyncio.start_unix_server(lambda reader, writer: None, left)
    server.close()
    with pytest.raises(NotRunning):
        await order(tmp_path, {})
    control = Control(tmp_path, answer)
    await control.open()
    assert await order(tmp_path, {"a": 1}) == {"heard": {"a": 1}}
    await control.close()
