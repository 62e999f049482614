"""PackJournal and LocalBodies keep the contract of every journal."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from barid_contracts.mail import BodyRef
from barid_runtime.journal.bodies import LocalBodies
from barid_runtime.journal.packs import PackJournal
from barid_testing.contracts.journal import Damage, JournalContract


class TestPacks(JournalContract):
    @pytest_asyncio.fixture
    async def journal(self, tmp_path: Path) -> AsyncIterator[PackJournal]:
        journal = PackJournal(tmp_path / "journal", "ingress")
        yield journal
        await journal.close()

    @pytest_asyncio.fixture
    async def bodies(self, tmp_path: Path) -> AsyncIterator[LocalBodies]:
        bodies = LocalBodies(tmp_path / "journal")
        yield bodies
        bodies.close()

    @pytest.fixture
    def damage(self, tmp_path: Path) -> Damage:
        async def flip(ref: BodyRef, at: int) -> None:
            with open(tmp_path / "journal" / ref.pack, "r+b") as file:
                file.seek(ref.offset + ref.head + at)
                byte = file.read(1)[0]
                file.seek(-1, 1)
                file.write(bytes([byte ^ 1]))

        return flip


class TestSmallPacks(TestPacks):
    """Rotation at every turn changes nothing."""

    @pytest_asyncio.fixture
    async def journal(self, tmp_path: Path) -> AsyncIterator[PackJournal]:
        journal = PackJournal(tmp_path / "journal", "ingress", pack_size=64 * 1024)
        yield journal
        await journal.close()


class TestWrittenAhead(TestPacks):
    """Room written ahead in small steps, so that batches meet its edges."""

    @pytest_asyncio.fixture
    async def journal(self, tmp_path: Path) -> AsyncIterator[PackJournal]:
        journal = PackJournal(tmp_path / "journal", "ingress", pack_size=4 * 1024 * 1024, write_ahead=256 * 1024)
        yield journal
        await journal.close()
