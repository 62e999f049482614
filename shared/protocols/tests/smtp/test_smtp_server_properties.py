"""What holds for the server core whatever is sent, and however it is cut."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.smtp import (
    Closed,
    DataAborted,
    DataChunk,
    DataEnd,
    Decision,
    Event,
    RcptTo,
    ServerConnection,
    ServerOptions,
    lmtp,
    mx,
    submission,
)
from barid_protocols.smtp.data import Stuffer

MX = replace(mx("mx.example.org", starttls=True), max_size=60, max_errors=6)
MENDING = replace(
    submission("mx.example.org"), max_size=60, max_errors=6, allow_plaintext_auth=True, requires_auth=False
)
LOCAL = replace(lmtp("mx.example.org"), max_size=60, max_errors=6)

# No STARTTLS: what is discarded behind it depends on when it came, as it must.
PIECES = st.sampled_from(
    [
        b"EHLO c\r\n", b"HELO c\r\n", b"LHLO c\r\n", b"MAIL FROM:<a@example.net>\r\n", b"MAIL FROM:<>\r\n",
        b"RCPT TO:<b@example.org>\r\n", b"RCPT TO:<c@example.org>\r\n", b"RCPT TO:<>\r\n", b"DATA\r\n", b"RSET\r\n",
        b"NOOP\r\n", b"QUIT\r\n", b"VRFY x\r\n", b"HELP\r\n", b"AUTH PLAIN\r\n", b"AUTH LOGIN YQ==\r\n", b"*\r\n",
        b"AGEAYg==\r\n", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"text\r\n", b".\r\n", b"\r\n.\r\n", b"..\r\n",
        b".x\r\n", b"\r", b"\n", b"\r\n", b".", b"\0", b"0123456789", b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n",
        b"\xc3\xa9",
    ]
)  # fmt: skip
ENVELOPE = b"HELO c\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
STREAM = st.lists(PIECES, max_size=25).map(b"".join)
ANYTHING = st.one_of(STREAM, STREAM.map(lambda data: ENVELOPE + data), st.binary(max_size=200))
OPTIONS = st.sampled_from([MX, MENDING, LOCAL])


def run(options: ServerOptions, chunks: list[bytes]) -> tuple[list[object], bytes]:
    """All events in a form that does not depend on cuts, and all octets sent."""
    conn = ServerConnection(options)
    trace: list[object] = []
    out = b""
    for chunk in [b"", *chunks]:
        conn.receive_data(chunk)
        while (event := conn.next_event()) is not None:
            note(trace, event)
            if isinstance(event, Decision):
                out += conn.send()
        out += conn.data_to_send()
    return trace, out


def note(trace: list[object], event: Event) -> None:
    match event:
        case DataChunk(data):
            if trace and isinstance(trace[-1], bytearray):
                trace[-1] += data
            else:
                trace.append(bytearray(data))
        case DataAborted():
            # How much of a refused message was given out before depends on the cut; that it was refused does not.
            if trace and isinstance(trace[-1], bytearray):
                trace.pop()
            trace.append(event)
        case RcptTo(recipients):
            trace.extend(recipients)
        case _:
            trace.append(event)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@settings(max_examples=100, deadline=None)
@given(OPTIONS, ANYTHING, st.lists(st.integers(min_value=0), max_size=8))
def test_cuts_change_neither_events_nor_replies(options: ServerOptions, data: bytes, places: list[int]) -> None:
    whole = run(options, [data])
    assert run(options, cut(data, places)) == whole
    assert run(options, [data[i : i + 1] for i in range(len(data))]) == whole


@settings(max_examples=100, deadline=None)
@given(OPTIONS, ANYTHING)
def test_nothing_raises_and_the_end_is_told_once(options: ServerOptions, data: bytes) -> None:
    conn = ServerConnection(options)
    closings = 0
    conn.receive_data(data)
    conn.receive_eof()
    out = b""
    while (event := conn.next_event()) is not None:
        closings += isinstance(event, Closed)
        if isinstance(event, Decision):
            out += conn.send()
            if not conn.closed and conn.state.name == "TLS":
                conn.tls_established()
    out += conn.data_to_send()
    assert closings == 1
    assert conn.closed
    assert all(line[:3].isdigit() and line[3:4] in (b" ", b"-") for line in out.split(b"\r\n")[:-1])
    assert out.replace(b"\r\n", b"").isascii()


RAGGED = st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\r\n.", b"MAIL FROM:<e@x>"]), max_size=30).map(
    b"".join
)
LINES = st.lists(st.sampled_from([b"", b".", b"..", b".x", b"text", b"\xff" * 3, b"a" * 90]), max_size=30)


@settings(max_examples=100, deadline=None)
@given(LINES, st.lists(st.integers(min_value=0), max_size=6), st.lists(st.integers(min_value=0), max_size=6))
def test_what_the_client_stuffs_the_server_unstuffs(lines: list[bytes], here: list[int], there: list[int]) -> None:
    message = b"".join(line + b"\r\n" for line in lines)
    stuffer = Stuffer()
    wire = b"".join(stuffer.feed(piece) for piece in cut(message, here)) + stuffer.finish()
    options = replace(MX, max_size=10_000)
    trace, _ = run(options, [ENVELOPE, *cut(wire, there)])
    assert trace[-1] == DataEnd(len(message))
    assert b"".join(bytes(part) for part in trace if isinstance(part, bytearray)) == message


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n"]), max_size=30).map(b"".join),
    st.lists(st.integers(min_value=0), max_size=6),
)
def test_nothing_that_leaves_has_a_bare_line_end_or_an_early_end(message: bytes, places: list[int]) -> None:
    stuffer = Stuffer()
    wire = b"".join(stuffer.feed(piece) for piece in cut(message, places)) + stuffer.finish()
    rest = wire.replace(b"\r\n", b"")
    assert b"\r" not in rest
    assert b"\n" not in rest
    assert (b"\r\n" + wire).find(b"\r\n.\r\n") == len(wire) - 3


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\r\n.", b"MAIL FROM:<e@x>"]), max_size=30).map(
        b"".join
    )
)
def test_mx_takes_a_message_only_if_every_line_end_is_whole(message: bytes) -> None:
    wire = message + b"\r\n.\r\n"
    true_end = (b"\r\n" + wire).find(b"\r\n.\r\n") + 3
    wire = wire[:true_end]
    trace, out = run(replace(MX, max_size=10_000), [ENVELOPE, wire])
    rest = wire.replace(b"\r\n", b"")
    clean = b"\r" not in rest and b"\n" not in rest
    assert isinstance(trace[-1], DataEnd) == clean
    assert out.endswith(b"250 2.0.0 Message accepted\r\n" if clean else b"section 2.3.8\r\n")
