"""What the door says of a message."""

from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.mime import SummaryScanner, summarize

MESSAGE = (
    b"Received: by a\r\nReceived: by b\r\n"
    b"From: Alice <alice@example.org>, bob@example.org\r\nSender: bob@example.org\r\n"
    b"Subject: Gr=?utf-8?q?=C3=BC?=\r\n =?utf-8?q?=C3=9Fe?=\r\nMessage-ID: <1@example.org>\r\n"
    b"Date: Mon, 23 Nov 2026 15:00:00 +0000\r\n\r\nHello\r\n"
)


def test_a_summary() -> None:
    summary = summarize(MESSAGE)
    assert summary.size == len(MESSAGE)
    assert MESSAGE[summary.body_start :] == b"Hello\r\n"
    assert [address.address for address in summary.header_from] == [b"alice@example.org", b"bob@example.org"]
    assert [address.address for address in summary.sender] == [b"bob@example.org"]
    assert summary.from_count == 1
    assert summary.subject == b"Gr=?utf-8?q?=C3=BC?= =?utf-8?q?=C3=9Fe?="
    assert summary.message_id == b"<1@example.org>"
    assert summary.received_count == 2
    assert summary.parts == []
    assert summary.bodystructure == (b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1 NIL NIL NIL NIL)')
    assert not (summary.header_is_8bit or summary.body_is_8bit or summary.has_nul)


def test_several_from_fields_are_told() -> None:
    summary = summarize(b"From: a@b\r\nFrom: c@d\r\n\r\n")
    assert summary.from_count == 2
    assert [address.address for address in summary.header_from] == [b"a@b", b"c@d"]


def test_a_header_too_long_to_be_read_whole_is_told() -> None:
    assert not summarize(MESSAGE).header_is_cut
    assert summarize(b"X-Filler: x\r\n" * 10_000 + b"From: mallory@example.org\r\n\r\n").header_is_cut


def test_eight_bits_are_told_apart() -> None:
    summary = summarize("Subject: ü\r\n\r\nx".encode())
    assert (summary.header_is_8bit, summary.body_is_8bit) == (True, False)
    summary = summarize("Subject: x\r\n\r\nü\0".encode())
    assert (summary.header_is_8bit, summary.body_is_8bit, summary.has_nul) == (False, True, True)


@given(
    st.lists(
        st.sampled_from([b"Subject: x", "To: ü".encode(), b"\r\n", b"\n", "ü".encode(), b"\0", b"text"]), max_size=10
    ),
    st.integers(1, 5),
)
@settings(max_examples=80, deadline=None)
def test_a_stream_is_told_the_same(pieces: list[bytes], size: int) -> None:
    message = b"".join(pieces)
    scanner = SummaryScanner()
    for start in range(0, len(message), size):
        scanner.feed(message[start : start + size])
    streamed, whole = scanner.finish(), summarize(message)
    assert (streamed.header_is_8bit, streamed.body_is_8bit, streamed.has_nul, streamed.size) == (
        whole.header_is_8bit,
        whole.body_is_8bit,
        whole.has_nul,
        whole.size,
    )
    assert (streamed.body_start, streamed.bodystructure) == (whole.body_start, whole.bodystructure)
