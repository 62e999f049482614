"""The duties of a journal and of what reads its bodies (`barid_runtime.journal.port`).

A subclass gives the fixtures `journal` (a JournalWriter, closed by the fixture), `bodies` (a BodyReader of the same
store) and `damage` (which changes one byte of a body behind their backs, as a failing disk does).
"""

import asyncio
import hashlib
import random
import time
from collections.abc import Awaitable, Callable

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
    JournalError,
    JournalWriter,
)

Damage = Callable[[BodyRef, int], Awaitable[None]]
"""Changes the byte at this offset of the body."""


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

    async def test_submit_needs_no_task(self, journal: JournalWriter, bodies: BodyReader) -> None:
        texts = [body_of(300 + n, n) for n in range(50)]
        futures = [journal.submit(mail_of(len(text)), text) for text in texts]
        assert not any(future.done() for future in futures)
        refs = await asyncio.gather(*futures)
        assert [await bodies.read(ref) for ref in refs] == texts

    async def test_submit_refuses_at_once_what_can_not_be(self, journal: JournalWriter) -> None:
        with pytest.raises(ValueError, match="size"):
            journal.submit(mail_of(5), b"four")

    async def test_who_gave_up_hurts_nobody(self, journal: JournalWriter, bodies: BodyReader) -> None:
        texts = [body_of(400 + n, n) for n in range(40)]
        appends = [asyncio.ensure_future(journal.append(mail_of(len(text)), text)) for text in texts]
        appends[0].cancel()
        await asyncio.sleep(0)
        for given_up in appends[10:20]:
            given_up.cancel()
        results = await asyncio.gather(*appends, return_exceptions=True)
        for n, (result, text) in enumerate(zip(results, texts, strict=True)):
            if n == 0 or 10 <= n < 20:
                assert isinstance(result, asyncio.CancelledError)
            else:
                assert isinstance(result, BodyRef)
                assert await bodies.read(result) == text

    @pytest.mark.parametrize("size", [1000, SPOOL_ABOVE + 1, OBJECT_ABOVE + 1])
    async def test_one_mail_twice_is_readable_twice(
        self, journal: JournalWriter, bodies: BodyReader, size: int
    ) -> None:
        """A child is journalled again, under its id, when a crash came before its row was deleted."""
        mail, body = mail_of(size), body_of(size)
        refs = []
        for _ in range(2):
            spool = journal.spool()
            await spool.write(body)
            refs.append(await journal.append(mail, spool))
        for ref in refs:
            assert await bodies.read(ref) == body

    @pytest.mark.parametrize("size", [1, 1000, 3 * CHUNK, 2_000_000, OBJECT_ABOVE + 5])
    async def test_a_damaged_body_is_never_passed_off_as_sound(
        self, journal: JournalWriter, bodies: BodyReader, damage: Damage, size: int
    ) -> None:
        body = body_of(size)
        before = await journal.append(mail_of(3), b"one")
        spool = journal.spool()
        await spool.write(body)
        ref = await journal.append(mail_of(size), spool)
        after = await journal.append(mail_of(3), b"two")
        at = size // 2
        await damage(ref, at)
        with pytest.raises(BodyCorrupt):
            await bodies.read(ref)
        got = b""
        with pytest.raises(BodyCorrupt):
            async for part in bodies.stream(ref):
                got += part
        assert len(got) <= at
        assert body.startswith(got)
        assert await bodies.read(before) == b"one"
        assert await bodies.read(after) == b"two"

    async def test_streams_of_one_body_run_side_by_side_and_may_be_left(
        self, journal: JournalWriter, bodies: BodyReader
    ) -> None:
        size = 3_000_000
        body = body_of(size)
        spool = journal.spool()
        await spool.write(body)
        ref = await journal.append(mail_of(size), spool)

        async def whole() -> bytes:
            return b"".join([part async for part in bodies.stream(ref)])

        async def a_part() -> bytes:
            stream = bodies.stream(ref)
            first = await anext(stream)
            await stream.aclose()  # type: ignore[attr-defined] # a generator, though the port need not say so
            return first

        wholes = await asyncio.gather(whole(), a_part(), whole(), a_part())
        assert wholes[0] == wholes[2] == body
        assert body.startswith(wholes[1])

    async def test_after_close_all_is_readable_and_nothing_is_taken(
        self, journal: JournalWriter, bodies: BodyReader
    ) -> None:
        ref = await journal.append(mail_of(3), b"abc")
        begun = journal.spool()
        await begun.write(body_of(500_000))
        await journal.close()
        await journal.close()
        assert await bodies.read(ref) == b"abc"
        with pytest.raises(JournalError):
            await journal.append(mail_of(3), b"abc")
        with pytest.raises(JournalError):
            await journal.submit(mail_of(3), b"abc")
        with pytest.raises(JournalError):
            journal.spool()
        with pytest.raises(JournalError):
            await begun.write(body_of(500_000))
        with pytest.raises(JournalError):
            await journal.append(mail_of(begun.size), begun)
        await begun.discard()
