"""A mail that goes in circles is refused at the door it comes in by, however long its header is."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_runtime.journal.port import SPOOL_ABOVE
from barid_smtp_ingress.policy.loops import MOST_OF_A_FIELD, TraceFields
from barid_smtp_ingress.settings import MOST_HOPS

from .ingress_rig import Published, Rig

BODY = "From: Sender <sender@there.test>\r\nSubject: hello\r\n\r\nHow are you?\r\n"
PADDING = "X-Padding: " + "x" * 900 + "\r\n"
HIDDEN = {
    "a header that is read whole": 1,
    "behind what is read of a header": 100,
    "in a header longer than what is kept in memory": SPOOL_ABOVE // len(PADDING) + 100,
}


@pytest.mark.parametrize("padding", HIDDEN.values(), ids=HIDDEN)
async def test_hops_are_counted_wherever_they_stand(served: Rig, published: Published, padding: int) -> None:
    client = await served.greeted()
    half = "Received: by somewhere\r\n" * 50
    body = half + PADDING * padding + half + BODY
    assert (await client.deliver("anna@here.test", body="Received: by one more\r\n" + body)).startswith("554 5.4.6")
    assert (await client.deliver("anna@here.test", body=body)).startswith("250")
    assert (await published.mail()).received_count == 100
    many = PADDING * padding + "Delivered-To: other@here.test\r\n" * (MOST_HOPS + 1) + BODY
    assert (await client.deliver("anna@here.test", body=many)).startswith("554 5.4.6")


@pytest.mark.parametrize("padding", HIDDEN.values(), ids=HIDDEN)
@pytest.mark.parametrize("door", ["smtp", "lmtp"])
async def test_who_was_delivered_to_is_found_wherever_it_stands(
    served: Rig, published: Published, door: str, padding: int
) -> None:
    looped = PADDING * padding + "Delivered-To:\r\n <ANNA@here.test>\r\n" + BODY
    client = await served.greeted(door)
    assert (await client.deliver("anna@here.test", body=looped)).startswith("554 5.4.6")
    # Nobody hears of it but who said so; another's field is no loop; and without a sender there is no notice.
    assert (await client.deliver("ben@here.test", body=looped)).startswith("250")
    assert (await client.deliver("anna@here.test", body=looped, sender="")).startswith("250")
    assert len(await published.mails(2)) == 2


async def test_lmtp_answers_each_recipient_of_it(served: Rig) -> None:
    client = await served.greeted("lmtp")
    client.send(
        "MAIL FROM:<sender@there.test>\r\nRCPT TO:<anna@here.test>\r\nRCPT TO:<ben@here.test>\r\nDATA\r\n"
        "Delivered-To: ben@here.test\r\n" + BODY + ".\r\nNOOP\r\n"
    )
    assert [reply[:9] for reply in await client.replies(7)] == [
        "250 2.1.0", "250 2.1.5", "250 2.1.5", "354 End w", "554 5.4.6", "554 5.4.6", "250 2.0.0"
    ]  # fmt: skip


async def test_our_users_hear_of_it_at_once_too(served: Rig) -> None:
    client = await served.logged_in()
    looped = "Delivered-To: ben@here.test\r\nFrom: anna@here.test\r\n\r\nsent on as it was\r\n"
    assert (await client.deliver("ben@here.test", sender="anna@here.test", body=looped)).startswith("554 5.4.6")
    assert (await client.deliver("cleo@here.test", sender="anna@here.test", body=looped)).startswith("250")


def read(data: bytes, size: int) -> tuple[int, list[bytes]]:
    trace = TraceFields()
    for at in range(0, len(data), size):
        trace.feed(data[at : at + size])
    trace.finish()
    return trace.received, trace.delivered_to


PIECES = st.sampled_from(
    [
        b"Received: a\r\n", b"received\t : a\r\n b\r\n", b"Delivered-To: x@y\r\n", b"DELIVERED-TO:\r\n <x@y>\r\n",
        b"Subject: Received: no\r\n", b"X-Received: no\r\n", b" Received: folded\r\n", b"Received no\r\n",
        b"X-Long: " + b"x" * (MOST_OF_A_FIELD - 20) + b"\r\n", b"X: y\r\n" * 400, b"\r", b"Delivered-To: y@z\n",
    ]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, max_size=20).map(b"".join), st.booleans(), st.integers(1, 5000))
def test_cuts_change_nothing(header: bytes, ended: bool, size: int) -> None:
    data = header + (b"\r\nReceived: in the body\r\nDelivered-To: in@the.body\r\n" if ended else b"")
    assert read(data, size) == read(data, len(data) or 1)


def test_fields_of_all_shapes() -> None:
    header = (
        b"Received: one\r\nX: y\r\n Received: folded\r\nreceived : two\r\nDelivered-To: a@b\r\n"
        b"delivered-to\t:\r\n c@d\r\nX-Received: no\r\n\r\nReceived: no\r\n"
    )
    assert read(header, 7) == (2, [b" a@b\r", b"\r\n c@d\r"])


@pytest.mark.parametrize(
    "line", [b"Received: x\r\n", b"Delivered-To: x\r\n", b"received   ", b"x", b"\r\n ", b"received"]
)
def test_time_is_linear_and_memory_bounded(line: bytes) -> None:
    chunk = line * (65_536 // len(line))
    trace = TraceFields()
    begun = time.process_time()
    for _ in range(160):
        trace.feed(chunk)
    assert time.process_time() - begun < 5
    assert len(trace.delivered_to) <= MOST_HOPS + 1
    assert len(trace._block) <= MOST_OF_A_FIELD
