"""Limits, turns and ends of a connection: nothing grows, nothing hangs, the host is told."""

import sys
import tracemalloc
from dataclasses import replace

import pytest

from barid_protocols.smtp import (
    Closed,
    CloseReason,
    Connected,
    DataAborted,
    DataChunk,
    DataEnd,
    Decision,
    Event,
    LocalError,
    MailFrom,
    RcptTo,
    Refused,
    Reply,
    ServerConnection,
    StartTls,
    State,
    lmtp,
    mx,
    replies,
    submissions,
)
from barid_protocols.smtp.options import MAX_BATCH, MAX_BUFFERED

MX = replace(mx("mx.example.org", starttls=True), max_size=1_000_000)
ENVELOPE = b"EHLO c\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"


def talk(conn: ServerConnection, data: bytes) -> tuple[list[Event], bytes]:
    conn.receive_data(data)
    events: list[Event] = []
    out = b""
    while (event := conn.next_event()) is not None:
        events.append(event)
        if isinstance(event, Decision):
            out += conn.send()
    return events, out + conn.data_to_send()


def until(conn: ServerConnection, kind: type[Event], data: bytes) -> Event:
    """Accept everything up to the first event of ``kind``, and leave that one open."""
    conn.receive_data(data)
    while (event := conn.next_event()) is not None:
        if isinstance(event, kind):
            return event
        if isinstance(event, Decision):
            conn.send()
    raise AssertionError(f"no {kind.__name__}")


@pytest.mark.parametrize("size", [513, 70_000, 1_000_000])
def test_a_line_that_is_too_long_is_thrown_away(size: int) -> None:
    whole = ServerConnection(MX)
    cut = ServerConnection(MX)
    line = b"NOOP " + b"x" * size + b"\r\n"
    _, out = talk(whole, line + b"NOOP\r\n")
    pieces = b"".join(talk(cut, line[i : i + 100])[1] for i in range(0, len(line), 100)) + talk(cut, b"NOOP\r\n")[1]
    assert out == pieces
    assert b"500 5.5.2 Line too long\r\n" in out
    assert whole.closed == cut.closed == (size > 65536)
    assert out.endswith(b"250 2.0.0 OK\r\n") != whole.closed


def test_mail_may_be_longer_by_its_parameters() -> None:
    conn = ServerConnection(submissions("mx.example.org"), tls=True)
    talk(conn, b"EHLO c\r\nAUTH PLAIN AGEAYg==\r\n")
    line = b"MAIL FROM:<a@example.org> AUTH=" + b"x" * 490 + b"\r\n"
    assert talk(conn, line)[1].startswith(b"250")


def test_auth_lines_end_at_12288_octets() -> None:
    options = replace(submissions("mx.example.org"), max_errors=100)
    for size, expected in [(12_286, b"501 5.5.2"), (12_287, b"500 5.5.6")]:
        conn = ServerConnection(options, tls=True)
        talk(conn, b"EHLO c\r\nAUTH PLAIN\r\n")
        assert conn.state is State.AUTH
        events, out = talk(conn, b"!" * size + b"\r\n")
        assert out.startswith(expected)
        assert conn.state is State.READY
        assert [event.line for event in events if isinstance(event, Refused)] == [b""]
        conn = ServerConnection(options, tls=True)
        talk(conn, b"EHLO c\r\nAUTH PLAIN\r\n")
        assert b"".join(talk(conn, b"!" * 997)[1] for _ in range(13)) == b""
        assert talk(conn, b"\r\n")[1].startswith(b"500 5.5.6")


def test_passwords_are_not_shown_to_the_log() -> None:
    conn = ServerConnection(replace(MX, mechanisms=("PLAIN",), max_errors=100, allow_plaintext_auth=True))
    events, _ = talk(
        conn, b"auth PLAIN AGEAYg==\r\nEHLO c\r\nAUTH PLAIN AGEAYg== x\r\nAUTH PLAIN " + b"A" * 13000 + b"\r\n"
    )
    shown = b"".join(event.line for event in events if isinstance(event, Refused))
    assert b"AGE" not in shown
    assert b"AAA" not in shown


def test_recipients_come_in_batches_of_bounded_size() -> None:
    conn = ServerConnection(MX)
    lines = b"".join(b"RCPT TO:<u%d@example.org>\r\n" % number for number in range(10_000))
    events, out = talk(conn, b"EHLO c\r\nMAIL FROM:<>\r\n" + lines)
    sizes = [len(event.recipients) for event in events if isinstance(event, RcptTo)]
    assert sizes == [MAX_BATCH] * (MX.max_recipients // MAX_BATCH)
    assert out.count(b"250 2.1.5") == MX.max_recipients
    assert out.count(b"452 4.5.3") == 10_000 - MX.max_recipients


def test_a_batch_ends_before_what_is_wrong_and_keeps_the_order() -> None:
    conn = ServerConnection(MX)
    talk(conn, b"EHLO c\r\nMAIL FROM:<>\r\n")
    events, out = talk(
        conn, b"RCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<>\r\nRCPT TO:<c@x>\r\nNOOP\r\nRCPT TO:<d@x>\r\n"
    )
    assert [[str(address) for address in event.recipients] for event in events if isinstance(event, RcptTo)] == [
        ["a@x", "b@x"],
        ["c@x"],
        ["d@x"],
    ]
    assert [line[:3] for line in out.split(b"\r\n")[:-1]] == [b"250", b"250", b"501", b"250", b"250", b"250"]


def test_nothing_is_read_before_the_answer() -> None:
    conn = ServerConnection(MX)
    assert isinstance(until(conn, MailFrom, b"EHLO c\r\nMAIL FROM:<>\r\nQUIT\r\n"), MailFrom)
    assert conn.waiting
    with pytest.raises(LocalError):
        conn.next_event()
    conn.receive_data(b"NOOP\r\n")
    assert conn.send(replies.TRY_LATER) == replies.TRY_LATER.encoded
    assert conn.next_event() == Closed(CloseReason.QUIT)


def test_answers_that_do_not_fit_change_nothing() -> None:
    conn = ServerConnection(MX)
    with pytest.raises(LocalError):
        conn.send()
    until(conn, RcptTo, b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\n")
    for bad in ([replies.OK], [replies.OK] * 3, Reply(354, "", "go")):
        with pytest.raises(LocalError):
            conn.send(bad)
    assert conn.send([replies.NO_SUCH_USER, replies.RECIPIENT_OK]).count(b"\r\n") == 2
    assert conn.state is State.RECIPIENTS


def test_lmtp_wants_as_many_answers_as_recipients() -> None:
    conn = ServerConnection(lmtp("mx.example.org"))
    until(conn, DataEnd, ENVELOPE.replace(b"EHLO", b"LHLO") + b".\r\n")
    with pytest.raises(LocalError):
        conn.send([replies.OK, replies.OK])
    assert conn.send([replies.OK]) == replies.OK.encoded


def test_a_host_that_does_not_pause_is_protected() -> None:
    conn = ServerConnection(MX)
    until(conn, MailFrom, b"EHLO c\r\nMAIL FROM:<>\r\n")
    tracemalloc.start()
    for _ in range(200):
        conn.receive_data(b"x" * 65536)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * MAX_BUFFERED
    conn.send()
    assert conn.next_event() == Closed(CloseReason.OVERFLOW)
    assert conn.data_to_send() == replies.TOO_MUCH_INPUT.encoded


def test_octet_by_octet_while_the_host_thinks_costs_no_quadratic_time() -> None:
    conn = ServerConnection(MX)
    until(conn, MailFrom, b"EHLO c\r\nMAIL FROM:<>\r\n")
    for _ in range(200_000):
        conn.receive_data(b"x")
    conn.send()
    assert talk(conn, b"")[0] == [Closed(CloseReason.ERRORS)]


def test_an_oversize_message_is_swallowed_without_being_kept() -> None:
    conn = ServerConnection(MX)
    talk(conn, ENVELOPE)
    line = b"x" * 998 + b"\r\n"
    block = line * 65
    tracemalloc.start()
    events: list[Event] = []
    for _ in range(300):
        events += [event for event in talk(conn, block)[0] if not isinstance(event, DataChunk)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert events == [DataAborted(replies.MESSAGE_TOO_BIG)]
    assert peak < 1_000_000
    assert talk(conn, b".\r\n")[1] == replies.MESSAGE_TOO_BIG.encoded
    assert conn.state is State.READY


def test_chunks_are_whole_reads() -> None:
    conn = ServerConnection(MX)
    talk(conn, ENVELOPE)
    line = b"x" * 998 + b"\r\n"
    events, _ = talk(conn, line * 65 + b"x")
    assert [len(event.data) for event in events if isinstance(event, DataChunk)] == [65_001]


def test_nul_is_refused_on_every_profile() -> None:
    for options in (MX, replace(submissions("mx.example.org"), requires_auth=False)):
        conn = ServerConnection(options, tls=True)
        events, out = talk(conn, ENVELOPE + b"a\0b\r\n.\r\n")
        assert out.endswith(replies.HOLDS_NUL.encoded)
        assert DataAborted(replies.HOLDS_NUL) in events


@pytest.mark.parametrize(
    ("message", "verdict"),
    [
        (b"0123456789\n", replies.MESSAGE_TOO_BIG),
        (b"012345678\n0", replies.BARE_LINE_END),
        (b"01234567\0\r\n", replies.HOLDS_NUL),
        (b"\x003456\n", replies.HOLDS_NUL),
        (b"..01234567", replies.MESSAGE_TOO_BIG),
    ],
)
def test_the_first_offence_is_the_one_that_counts(message: bytes, verdict: Reply) -> None:
    wire = message + b"\r\n.\r\n"
    for pieces in ([wire], [wire[i : i + 1] for i in range(len(wire))]):
        conn = ServerConnection(replace(MX, max_size=10))
        talk(conn, ENVELOPE)
        out = b"".join(talk(conn, piece)[1] for piece in pieces)
        assert out == verdict.encoded


def test_a_bare_line_end_is_no_white_space() -> None:
    conn = ServerConnection(replace(MX, max_errors=100))
    talk(conn, b"EHLO c\r\nMAIL FROM:<>\r\n")
    # Pipelined behind a good one, so that the look at its neighbours meets them too.
    for bad in (b" \n\r\n", b" \r\r\n", b"\t\r\r\n", b" \x0b\r\n", b"\r\r\n", b"\n\r\n"):
        events, out = talk(conn, b"RCPT TO:<a@x>\r\nRCPT TO:<b@x>" + bad)
        assert [len(event.recipients) for event in events if isinstance(event, RcptTo)] == [1], bad
        assert out.splitlines()[1][:2] == b"50", bad


def test_starttls_discards_what_was_injected_before_and_after_its_answer() -> None:
    conn = ServerConnection(MX)
    event = until(conn, StartTls, b"EHLO c\r\nSTARTTLS\r\nMAIL FROM:<>\r\n")
    assert event == StartTls(discarded=14)
    conn.receive_data(b"RCPT TO:<a@x>\r\n")
    conn.send()
    conn.receive_data(b"DATA\r\n")
    assert conn.next_event() is None
    conn.tls_established()
    assert conn.next_event() is None
    assert conn.data_to_send() == b""
    assert (conn.state, conn.tls, conn.hello) == (State.GREETED, True, "")


def test_starttls_may_be_refused() -> None:
    conn = ServerConnection(MX)
    until(conn, StartTls, b"EHLO c\r\nSTARTTLS\r\n")
    unavailable = Reply(454, "4.7.0", "TLS is not available now")
    assert conn.send(unavailable) == unavailable.encoded
    assert talk(conn, b"NOOP\r\n")[1] == replies.OK.encoded
    with pytest.raises(LocalError):
        conn.tls_established()


def test_a_drain_waits_for_the_message_and_for_nothing_else() -> None:
    conn = ServerConnection(MX)
    talk(conn, ENVELOPE)
    conn.drain()
    assert conn.next_event() is None
    events, out = talk(conn, b"hello\r\n.\r\nMAIL FROM:<>\r\n")
    assert out == replies.MESSAGE_ACCEPTED.encoded + replies.CLOSING_DOWN.encoded
    assert events[-1] == Closed(CloseReason.DRAINED)

    conn = ServerConnection(MX)
    talk(conn, b"EHLO c\r\nMAIL FROM:<>\r\n")
    conn.drain()
    assert talk(conn, b"") == ([Closed(CloseReason.DRAINED)], replies.CLOSING_DOWN.encoded)


def test_the_end_of_file_comes_after_what_was_sent() -> None:
    conn = ServerConnection(MX)
    conn.receive_eof()
    events, out = talk(conn, b"NOOP\r\nNOO")
    assert out.endswith(replies.OK.encoded)
    assert events[-1] == Closed(CloseReason.EOF)
    conn = ServerConnection(MX)
    conn.receive_eof()
    assert talk(conn, ENVELOPE + b"half")[0][-1] == Closed(CloseReason.EOF)


def test_the_host_may_end_it_at_any_time() -> None:
    conn = ServerConnection(MX)
    talk(conn, ENVELOPE + b"half")
    assert conn.close() == replies.TOO_SLOW.encoded
    assert conn.next_event() == Closed(CloseReason.HOST)
    assert conn.next_event() is None
    assert conn.close() == b""


def test_a_421_from_the_host_closes() -> None:
    conn = ServerConnection(MX)
    until(conn, MailFrom, b"EHLO c\r\nMAIL FROM:<>\r\nNOOP\r\n")
    assert conn.send(Reply(421, "4.7.0", "go away")) == b"421 4.7.0 go away\r\n"
    assert conn.next_event() == Closed(CloseReason.HOST)


def test_who_is_turned_away_may_only_quit() -> None:
    conn = ServerConnection(MX)
    assert conn.next_event() == Connected(early=False)
    assert conn.send(replies.REFUSED) == replies.REFUSED.encoded
    assert talk(conn, b"EHLO c\r\n")[1] == b"503 5.5.1 Only QUIT now\r\n"
    assert talk(conn, b"QUIT\r\n")[1] == replies.CLOSING.encoded


def test_who_speaks_before_the_greeting_is_noticed() -> None:
    conn = ServerConnection(MX)
    conn.receive_data(b"EHLO c\r\n")
    assert conn.next_event() == Connected(early=True)


def test_an_accepted_message_clears_the_errors() -> None:
    conn = ServerConnection(replace(MX, max_errors=3))
    for _ in range(3):
        talk(conn, b"FOO\r\nBAR\r\n")
        talk(conn, ENVELOPE + b".\r\n")
    assert not conn.closed


def test_a_connection_at_rest_is_small() -> None:
    conn = ServerConnection(MX)
    tracemalloc.start()
    kept = [ServerConnection(MX) for _ in range(100)]
    each = tracemalloc.get_traced_memory()[0] / len(kept)
    tracemalloc.stop()
    assert each < 2500
    assert sys.getsizeof(conn) < 300
