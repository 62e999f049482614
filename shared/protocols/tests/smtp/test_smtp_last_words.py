"""What ends a session is said once, with 421; nothing of what was pipelined behind it is answered (RFC 5321 §3.8)."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from barid_protocols.smtp import (
    Answer,
    Authenticate,
    Closed,
    CloseReason,
    DataEnd,
    Decision,
    MailFrom,
    RcptTo,
    Reply,
    ServerConnection,
    lmtp,
    mx,
    replies,
    submissions,
)

ENOUGH = Reply(421, "4.7.0", "Enough")
MX = mx("mx.example.org", starttls=True)
BEGIN = b"EHLO c\r\nMAIL FROM:<a@example.net>\r\n"
RECIPIENTS = b"".join(b"RCPT TO:<u%d@example.org>\r\n" % number for number in range(250))


def talk(conn: ServerConnection, data: bytes, decide: Callable[[Decision], Answer]) -> tuple[bytes, list[Closed]]:
    conn.receive_data(data)
    out = b""
    ends = []
    while (event := conn.next_event()) is not None:
        if isinstance(event, Decision):
            out += conn.send(decide(event))
        elif isinstance(event, Closed):
            ends.append(event)
    return out + conn.data_to_send(), ends


@pytest.mark.parametrize("given", [2, 3])
def test_a_421_among_the_answers_to_a_group_is_the_last(given: int) -> None:
    def decide(question: Decision) -> Answer:
        if not isinstance(question, RcptTo):
            return None
        answers = [replies.NO_SUCH_USER, ENOUGH]
        return answers if given == 2 else answers + [ENOUGH] * (len(question.recipients) - 2)

    conn = ServerConnection(MX)
    out, ends = talk(conn, BEGIN + RECIPIENTS + b"DATA\r\nQUIT\r\n", decide)
    assert out.endswith(replies.SENDER_OK.encoded + replies.NO_SUCH_USER.encoded + ENOUGH.encoded)
    assert out.count(b"421") == 1
    assert ends == [Closed(CloseReason.HOST)]


def test_one_421_for_all_recipients_is_said_once() -> None:
    conn = ServerConnection(MX)
    out, ends = talk(conn, BEGIN + RECIPIENTS, lambda question: ENOUGH if isinstance(question, RcptTo) else None)
    assert out.count(b"421") == 1
    assert ends == [Closed(CloseReason.HOST)]


def test_lmtp_at_the_end_of_data() -> None:
    conn = ServerConnection(lmtp("mx.example.org"))
    begin = (
        BEGIN.replace(b"EHLO", b"LHLO") + b"".join(RECIPIENTS.splitlines(True)[:3]) + b"DATA\r\nhello\r\n.\r\nNOOP\r\n"
    )
    out, ends = talk(conn, begin, lambda question: ENOUGH if isinstance(question, DataEnd) else None)
    assert out.endswith(replies.SEND_DATA.encoded + ENOUGH.encoded)
    assert ends == [Closed(CloseReason.HOST)]


def test_errors() -> None:
    conn = ServerConnection(MX)
    out, ends = talk(conn, b"EHLO c\r\n" + b"WHAT\r\n" * 50 + b"NOOP\r\n", lambda _: None)
    assert out.count(b"500 5.5.2") == MX.max_errors
    assert out.endswith(replies.UNKNOWN_COMMAND.encoded + replies.TOO_MANY_ERRORS.encoded)
    assert ends == [Closed(CloseReason.ERRORS)]


def test_failed_log_ins() -> None:
    conn = ServerConnection(replace(submissions("mx.example.org"), max_errors=100), tls=True)

    def decide(question: Decision) -> Answer:
        return replies.AUTH_FAILED if isinstance(question, Authenticate) else None

    out, ends = talk(conn, b"EHLO c\r\n" + b"AUTH PLAIN AGEAYg==\r\n" * 10 + b"NOOP\r\n", decide)
    assert out.count(b"535") == MX.max_failed_logins
    assert out.endswith(replies.AUTH_FAILED.encoded + replies.TOO_MANY_LOGINS.encoded)
    assert ends == [Closed(CloseReason.LOGINS)]


def test_a_421_to_any_other_command() -> None:
    conn = ServerConnection(MX)
    out, ends = talk(
        conn, BEGIN + RECIPIENTS + b"DATA\r\n", lambda question: ENOUGH if isinstance(question, MailFrom) else None
    )
    assert out.endswith(b"HELP\r\n" + ENOUGH.encoded)
    assert ends == [Closed(CloseReason.HOST)]


def test_drained() -> None:
    conn = ServerConnection(MX)
    talk(conn, b"", lambda _: None)
    conn.drain()
    out, ends = talk(conn, BEGIN + RECIPIENTS + b"QUIT\r\n", lambda _: None)
    assert out == replies.CLOSING_DOWN.encoded
    assert ends == [Closed(CloseReason.DRAINED)]


def test_too_slow() -> None:
    conn = ServerConnection(MX)
    talk(conn, b"EHLO c\r\nMAIL", lambda _: None)
    assert conn.close() == replies.TOO_SLOW.encoded
    assert talk(conn, BEGIN, lambda _: None) == (b"", [Closed(CloseReason.HOST)])
