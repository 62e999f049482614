"""Sessions on the event loop that services run on, whose sockets and TLS are not asyncio's own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import uvloop
from prometheus_client import CollectorRegistry

from barid_relay.adapters.smtp.dialer import SmtpDialer
from barid_relay.ports.hosts import Answer, DialFailed, Fate, Hop, Letter, Tls
from barid_runtime.metrics import Metrics

from .foreign import Conversation, Foreign, server_tls
from .office import QUICK


def on_uvloop(main: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await main()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def dialer(authorities: Path | None = None) -> SmtpDialer:
    metrics = Metrics("relay", CollectorRegistry())
    timeouts = replace(QUICK, data_block=10.0, final=10.0)
    return SmtpDialer("relay.here.test", metrics.seconds("dial", "x"), timeouts=timeouts, authorities=authorities)


def letter(body: bytes) -> Letter:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    return Letter("ann@here.test", ["bob@far.test"], len(body), False, chunks)


async def send(
    far: Foreign, hop_tls: Tls, body: bytes = b"A: b\r\n\r\nc\r\n", trusts: Path | None = None
) -> list[Answer]:
    session = await dialer(trusts).dial(Hop(far.host, far.host, far.port, hop_tls))
    answers = await session.send(letter(body))
    answers += await session.send(letter(b"A: second\r\n\r\n"))
    await session.close()
    return answers


def test_clear_starttls_and_implicit(tmp_path: Path) -> None:
    context, trusts = server_tls(tmp_path / "tls", "127.0.0.1")
    large = b"A: b\r\n\r\n" + b"0123456789\r\n" * 60_000

    async def main() -> None:
        async with Foreign(features=("PIPELINING",)).open() as far:
            assert [answer.fate for answer in await send(far, Tls.MAY, large)] == [Fate.RELAYED] * 2
            assert far.taken[0].body == large
        async with Foreign(tls=context).open() as far:
            for tls in (Tls.MAY, Tls.MUST):
                assert [answer.fate for answer in await send(far, tls, large, trusts)] == [Fate.RELAYED] * 2
            assert [taken.tls for taken in far.taken] == [True] * 4
        async with Foreign().open(ssl=context) as far:
            assert [answer.fate for answer in await send(far, Tls.IMPLICIT, large, trusts)] == [Fate.RELAYED] * 2

    on_uvloop(main)


def test_what_fails(tmp_path: Path) -> None:
    context, _ = server_tls(tmp_path / "tls", "other.test")

    async def break_it(conversation: Conversation) -> str | None:
        await conversation.say("220 go")
        await conversation.reader.read(100)
        conversation.writer.write(b"this is no handshake" * 10)
        conversation.hang_up()
        return None

    async def silent(conversation: Conversation) -> str | None:
        await conversation.say("220 go")
        await asyncio.sleep(60)
        return None

    async def refused(hop: Hop) -> Answer:
        try:
            await dialer().dial(hop)
        except DialFailed as failed:
            return failed.answer
        raise AssertionError("dialled")

    async def main() -> None:
        said = await refused(Hop("x", "127.0.0.1", 1))
        assert "refused" in said.reason
        said = await refused(Hop("x", "no-such-host.invalid", 1))
        assert said.fate is Fate.DEFERRED
        for reaction in (break_it, silent):
            async with Foreign(tls=context, replies={"STARTTLS": reaction}).open() as far:
                # In the clear, after one attempt; but not where TLS is required.
                assert [answer.fate for answer in await send(far, Tls.MAY)] == [Fate.RELAYED] * 2
                assert (await refused(Hop("127.0.0.1", far.host, far.port, Tls.MUST))).status == "4.7.5"
        async with Foreign(tls=context).open() as far:
            said = await refused(Hop("127.0.0.1", far.host, far.port, Tls.MUST))
            assert "TLS failed" in said.reason
            assert "certificate" in said.reason.lower()
        async with Foreign().open() as far:
            assert (await refused(Hop("127.0.0.1", far.host, far.port, Tls.IMPLICIT))).fate is Fate.DEFERRED

    on_uvloop(main)
