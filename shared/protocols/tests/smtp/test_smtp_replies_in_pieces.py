"""A read of thousands of commands earns more replies than are kept: Flush asks to write before more are taken."""

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.smtp import Closed, CloseReason, Decision, Flush, ServerConnection, mx
from barid_protocols.smtp.options import MOST_OWED

MX = mx("mx.example.org", starttls=True)
A_REPLY = 1024
"""More than any reply here is long."""

TALKATIVE = [b"NOOP\r\n", b"HELP\r\n", b"RSET\r\n", b"VRFY me\r\n", b"EHLO client\r\n", b"MAIL FROM:<>\r\nRSET\r\n"]


def pieces(conn: ServerConnection, data: bytes) -> list[bytes]:
    """What a host that heeds Flush writes, one piece a write."""
    conn.receive_data(data)
    out, written = b"", []
    while (event := conn.next_event()) is not None:
        if isinstance(event, Decision):
            out += conn.send()
        elif isinstance(event, Flush):
            written.append(out + conn.data_to_send())
            out = b""
    written.append(out + conn.data_to_send())
    return written


def ready() -> ServerConnection:
    conn = ServerConnection(MX)
    pieces(conn, b"EHLO client\r\n")
    return conn


@pytest.mark.parametrize("line", TALKATIVE)
def test_no_piece_is_larger_than_what_may_be_owed(line: bytes) -> None:
    once = b"".join(pieces(ready(), line))
    written = pieces(ready(), line * 10_000)
    assert b"".join(written) == once * 10_000
    assert len(written) > 1
    assert max(map(len, written)) < MOST_OWED + A_REPLY


def test_a_host_that_does_not_heed_it_loses_nothing() -> None:
    conn = ready()
    conn.receive_data(b"NOOP\r\n" * 10_000)
    while conn.next_event() is not None:
        pass
    assert conn.data_to_send() == b"250 2.0.0 OK\r\n" * 10_000


def test_there_is_none_in_a_usual_session_and_none_behind_the_end() -> None:
    conn = ready()
    assert all(len(pieces(conn, b"MAIL FROM:<>\r\nRSET\r\n")) == 1 for _ in range(5000))
    conn.receive_data(b"NOOP\r\n" * 10_000 + b"QUIT\r\n")
    events = []
    while (event := conn.next_event()) is not None:
        events.append(event)
        conn.data_to_send()
    assert events[-1] == Closed(CloseReason.QUIT)
    assert len(events) > 1


def test_memory_is_bounded_and_time_is_linear() -> None:
    read = b"NOOP\r\n" * 43_000
    conn = ready()
    tracemalloc.start()
    conn.receive_data(read)
    while isinstance(conn.next_event(), Flush):
        conn.data_to_send()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * MOST_OWED

    def price(count: int) -> float:
        conn = ready()
        begun = time.process_time()
        pieces(conn, b"NOOP\r\n" * count)
        return time.process_time() - begun

    few, many = min(price(5_000) for _ in range(3)), min(price(40_000) for _ in range(3))
    assert many < 8 * few * 4


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(TALKATIVE), st.integers(1, 3000)), max_size=4), st.integers(1, 100_000))
def test_cuts_change_no_reply(talk: list[tuple[bytes, int]], size: int) -> None:
    data = b"".join(line * times for line, times in talk)
    conn = ready()
    cut = b"".join(b"".join(pieces(conn, data[at : at + size])) for at in range(0, len(data), size))
    assert cut == b"".join(pieces(ready(), data))
