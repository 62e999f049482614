"""The API on the real parts: one house for the session, in a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .house import Api, House, start_house


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    running = start_house(Path(tmp_path_factory.mktemp("house")))
    yield running
    running.stop()


@pytest.fixture
def api(house: House) -> Api:
    return house.api()
