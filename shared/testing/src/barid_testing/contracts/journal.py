"""The duties of a journal and of what reads its bodies (`barid_runtime.journal.port`).

A subclass gives the fixtures `journal` (a JournalWriter, closed by the fixture) and `bodies` (a BodyReader of the same
store), and may override `damage`.
"""

import asyncio
import hashlib
import random
import time

import pytest

from barid_contracts.mail import Accepted, BodyRef, Obligation
from barid_runtime.ids import new_mail_id
from barid_runtime.journal.port import (
    CHUNK,
    OBJECT_ABOVE,
    SPOOL_ABOVE,
    BodyCorrupt,
    BodyMissing,
    BodyReader,
    JournalWriter,
)


def mail_of(size: int, *, accounts: int = 1, remotes: int = 0, subject: str = "hello") -> Accepted:
    """A mail for a body of that size, owed to so many."""
    kinds = ["account"] * accounts + ["remote"] * remotes
    return Accepted(
        mail_id=new_mail_id(time.time()),
        at=1_700_000_000_000,
        reverse_path="alice@example.org",
        obligations=[
            Obligation(n=n, kind=kind, address=f"r{n}@example.org", original=f"r{n}@example.org", account=f"a{n}")
            for n, kind in enumerate(kinds)
        ],
        size=size,
        headers=f"Subject: {subject}\r\n\r\n",
        subject=subject,
    )


def body_of(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


class JournalContract:
    """Bytes in, the same bytes out, by reference alone."""

    @pytest.mark.parametrize("size", [0, 1, 4096, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, SPOOL_ABOVE])
    async def test_a_body_is_read_back_as_it_was_written(
        self, journal: JournalWriter, bodies: BodyReader, size: int
    ) -> None:
        body = body_of(size)
        ref = await journal.append(mail_of(size), body)
        assert ref.size == size
        assert await bodies.read(ref) == body
        assert b"".join([part async for part in bodies.stream(ref)]) == body

    async def test_many_appends_at_once_keep_their_bodies_apart(
        self, journal: JournalWriter, bodies: BodyReader
    ) -> None:
        texts = [body_of(500 + n, n) for n in range(200)]
        refs = await asyncio.gather(*[journal.append(mail_of(len(text)), text) for text in texts])
        assert len({(ref.pack, ref.offset) for ref in refs}) == len(texts)
        assert [await bodies.read(ref) for ref in refs] == texts

    @pytest.mark.parametrize("size", [SPOOL_ABOVE + 1, 5 * CHUNK, 3_000_001, OBJECT_ABOVE, OBJECT_ABOVE + 1])
    async def test_a_spooled_body_is_read_back(self, journal: JournalWriter, bodies: BodyReader, size: int) -> None:
        body = body_of(size)
        spool = journal.spool()
        for at in range(0, size, 100_000):
            await spool.write(body[at : at + 100_000])
        assert spool.size == size
        ref = await journal.append(mail_of(size), spool)
        await spool.discard()
        assert hashlib.sha256(await bodies.read(ref)).digest() == hashlib.sha256(body).digest()

    @pytest.mark.parametrize("size", [0, 10, 100_000])
    async def test_a_spool_may_turn_out_small(self, journal: JournalWriter, bodies: BodyReader, size: int) -> None:
        spool = journal.spool()
        await spool.write(body_of(size))
        ref = await journal.append(mail_of(size), spool)
        assert await bodies.read(ref) == body_of(size)

    async def test_a_discarded_spool_leaves_the_journal_as_it_was(
        self, journal: JournalWriter, bodies: BodyReader
    ) -> None:
        spool = journal.spool()
        await spool.write(body_of(700_000))
        await spool.discard()
        await spool.discard()
        ref = await journal.append(mail_of(3), b"abc")
        assert await bodies.read(ref) == b"abc"

    @pytest.mark.parametrize("size", [1000, 2_000_000, OBJECT_ABOVE + 5])
    async def test_any_range_is_streamed_in_chunks(self, journal: JournalWriter, bodies: BodyReader, size: int) -> None:
        body = body_of(size)
        spool = journal.spool()
        await spool.write(body)
        ref = await journal.append(mail_of(size), spool)
        ranges = [(0, None), (1, 1), (size // 2, 70_000), (size - 1, 10), (size, None), (CHUNK, CHUNK), (0, 0)]
        for start, length in ranges:
            parts = [part async for part in bodies.stream(ref, start, length)]
            assert all(0 < len(part) <= CHUNK for part in parts)
            assert b"".join(parts) == body[start:][:length]

    async def test_a_body_is_durable_and_readable_while_others_are_appended(
        self, journal: JournalWriter, bodies: BodyReader
    ) -> None:
        async def write_and_read(n: int) -> None:
            for k in range(10):
                text = body_of(2000, 100 * n + k)
                assert await bodies.read(await journal.append(mail_of(len(text)), text)) == text

        await asyncio.gather(*[write_and_read(n) for n in range(20)])

    async def test_the_size_must_be_the_bodys(self, journal: JournalWriter) -> None:
        with pytest.raises(ValueError, match="size"):
            await journal.append(mail_of(5), b"four")

    async def test_a_reference_to_nothing_is_missing_or_corrupt(
        self, journal: JournalWriter, bodies: BodyReader
    ) -> None:
        ref = await journal.append(mail_of(3), b"abc")
        for pack in ("nobody.00000000000000000000000000/000001.pack", "objects/00000000000000000000000000", "../x", ""):
            with pytest.raises(BodyMissing):
                await bodies.read(BodyRef(pack=pack, offset=0, head=ref.head, size=3))
        for wrong in (
            ref.model_copy(update={"offset": ref.offset + 1}),
            ref.model_copy(update={"size": 2}),
            ref.model_copy(update={"head": ref.head - 1}),
            ref.model_copy(update={"offset": 1 << 40}),
        ):
            with pytest.raises((BodyMissing, BodyCorrupt)):
                await bodies.read(wrong)
        assert await bodies.read(ref) == b"abc"

    async def test_after_close_all_is_readable_and_nothing_is_taken(
        self, journal: JournalWriter, bodies: BodyReader
    ) -> None:
        ref = await journal.append(mail_of(3), b"abc")
        await journal.close()
        await journal.close()
        assert await bodies.read(ref) == b"abc"
