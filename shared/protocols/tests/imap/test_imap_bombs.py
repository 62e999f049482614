"""What is sent to harm: each is answered or hung up upon, in little time, and nothing of it is kept."""

import time

import pytest

from barid_protocols.imap.commands.append import AppendAborted, AppendChunk, AppendEnd, AppendStarted
from barid_protocols.imap.connection import ServerConnection
from barid_protocols.imap.framing import MAX_SKIPPED_LINE
from barid_protocols.imap.gate import ServerProfile
from barid_protocols.imap.intake import MAX_COMMAND, MAX_COMMAND_BEFORE_LOGIN
from barid_protocols.imap.responses import no, ok
from barid_protocols.imap.states import State


def connection(state: State = State.SELECTED) -> ServerConnection:
    conn = ServerConnection(ServerProfile(tls_active=True))
    if state is not State.NOT_AUTHENTICATED:
        conn.receive_data(b"l LOGIN a b\r\n")
        conn.next_event()
        conn.send(ok("in"))
        conn.state = state
    return conn


def say(conn: ServerConnection, data: bytes) -> bytes:
    conn.receive_data(data)
    assert conn.next_event() is None
    return conn.data_to_send()


def held(conn: ServerConnection) -> int:
    return len(conn._buffer) + conn._intake.held


@pytest.mark.parametrize(
    "command",
    [
        b"SEARCH " + b"(" * 30_000,
        b"SEARCH " + b"NOT " * 15_000 + b"ALL",
        b"SEARCH " + b"OR " * 20_000 + b"ALL ALL",
        b"SEARCH " + b"ALL " * 15_000 + b"ALL",
        b"SEARCH OR " + b"(OR ALL " * 8_000,
        b"FETCH 1 " + b"(" * 60_000,
        b"FETCH 1 BODY[" + b"1." * 30_000 + b"1]",
        b"FETCH 1 (" + b"BODY[HEADER.FIELDS (" * 3_000,
        b"STORE 1 FLAGS (" + b"a " * 30_000 + b")",
        b"ID (" + b'"a" "b" ' * 8_000 + b")",
        b'LIST "" "' + b"*%" * 30_000 + b'"',
        b"CREATE " + b"a/" * 30_000 + b"a",
        b"CREATE " + b"&AAAA-" * 10_000,
        b'LOGIN "' + b'\\"' * 30_000,
        b"FETCH " + b"1:*," * 15_000 + b"x FLAGS",
    ],
    ids=lambda command: command[:16].decode(),
)
def test_a_bomb_of_60_kilobytes_is_refused_at_once(command: bytes) -> None:
    conn = connection()
    began = time.process_time()
    said = say(conn, b"t " + command + b"\r\n")
    assert time.process_time() - began < 0.5
    assert said.startswith((b"t BAD ", b"t NO "))
    assert held(conn) == 0


def test_the_deepest_search_that_is_allowed_parses() -> None:
    conn = connection()
    conn.receive_data(b"t SEARCH " + b"(" * 100 + b"ALL" + b")" * 100 + b"\r\n")
    assert conn.next_event() is not None


def test_a_long_line_is_skipped_and_its_tag_answered() -> None:
    conn = connection()
    assert say(conn, b"t NOOP " + b"x" * MAX_COMMAND) == b""
    assert held(conn) < 100
    assert say(conn, b"x" * 200_000) == b""
    assert held(conn) == 0
    assert say(conn, b"x\r\n") == b"t BAD Command is too long\r\n"
    conn.receive_data(b"u NOOP\r\n")
    assert conn.next_event() is not None


def test_a_line_without_end_is_hung_up_upon() -> None:
    conn = connection()
    for _ in range(MAX_SKIPPED_LINE // 65536 + 3):
        conn.receive_data(b"x" * 65536)
        conn.next_event()
        assert held(conn) <= 65536
    assert conn.closing
    assert conn.data_to_send() == b"* BYE Too much data\r\n"


def test_a_stranger_gets_less_room() -> None:
    conn = connection(State.NOT_AUTHENTICATED)
    assert say(conn, b"t LOGIN a {%d}\r\n" % MAX_COMMAND_BEFORE_LOGIN) == b"t BAD Command is too long\r\n"
    assert say(conn, b"u LOGIN a {100000+}\r\n") == b"* BYE Too much data\r\n"
    assert conn.closing


def test_many_small_literals_share_one_limit() -> None:
    conn = connection()
    said = say(
        conn,
        b"t SEARCH" + b" SUBJECT {1000+}\r\n" + (b"x" * 1000 + b" SUBJECT {1000+}\r\n") * 80 + b"x" * 1000 + b"\r\n",
    )
    assert said == b"t BAD Command is too long\r\n"
    assert held(conn) == 0


def test_a_literal_of_4_gigabytes_is_never_waited_for() -> None:
    conn = connection()
    assert say(conn, b"t APPEND INBOX {4294967296}\r\n") == b"t NO [TOOBIG] Message is too big\r\n"
    assert say(conn, b"u APPEND INBOX {4294967296+}\r\n") == b"* BYE Too much data\r\n"
    assert conn.closing


def test_an_oversize_append_is_swallowed_without_being_held() -> None:
    conn = connection(State.AUTHENTICATED)
    size = conn.profile.append_limit + 1
    assert say(conn, b"t APPEND INBOX {%d+}\r\n" % size) == b""
    chunk = b"x" * 1_000_000
    for _ in range(size // len(chunk)):
        assert say(conn, chunk) == b""
        assert held(conn) == 0
    assert say(conn, b"x" * (size % len(chunk)) + b"\r\n") == b"t NO [TOOBIG] Message is too big\r\n"


def test_a_message_streams_through() -> None:
    conn = connection(State.AUTHENTICATED)
    conn.receive_data(b"t APPEND INBOX {5000000}\r\n")
    assert isinstance(conn.next_event(), AppendStarted)
    assert conn.next_event() is None
    assert conn.accept_append().startswith(b"+ ")
    for _ in range(50):
        conn.receive_data(b"m" * 100_000)
        event = conn.next_event()
        assert isinstance(event, AppendChunk)
        assert len(event.data) == 100_000
        assert held(conn) == 0
    conn.receive_data(b"\r\n")
    assert isinstance(conn.next_event(), AppendEnd)


def test_nul_in_a_message_aborts_it_and_the_rest_is_swallowed() -> None:
    conn = connection(State.AUTHENTICATED)
    conn.receive_data(b"t APPEND INBOX {10+}\r\nabc\0")
    assert isinstance(conn.next_event(), AppendStarted)
    conn.accept_append()
    assert isinstance(conn.next_event(), AppendAborted)
    assert say(conn, b"defghi\r\n") == b"t BAD NUL is not allowed in a message\r\n"


def test_a_client_that_goes_away_aborts_its_append() -> None:
    conn = connection(State.AUTHENTICATED)
    conn.receive_data(b"t APPEND INBOX {10+}\r\nabc")
    assert isinstance(conn.next_event(), AppendStarted)
    conn.accept_append()
    assert isinstance(conn.next_event(), AppendChunk)
    conn.receive_eof()
    assert isinstance(conn.next_event(), AppendAborted)
    assert conn.closing
    assert conn.next_event() is None


def test_a_refused_append_in_flight_ends_after_its_literal() -> None:
    conn = connection(State.AUTHENTICATED)
    conn.receive_data(b"t APPEND INBOX {10}\r\n")
    conn.next_event()
    conn.accept_append()
    conn.receive_data(b"abc")
    conn.next_event()
    assert conn.send(no("Full")) == b""
    assert say(conn, b"defghij") == b""
    assert say(conn, b"\r\n") == b"t NO Full\r\n"


def test_tls_on_the_plain_port() -> None:
    conn = connection(State.NOT_AUTHENTICATED)
    assert say(conn, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") == b"* BYE This is an IMAP server\r\n"
    assert conn.closing
    assert conn.close_reason == "TLS on the plain port"


def test_nul_in_a_command() -> None:
    conn = connection()
    assert say(conn, b"t NO\0OP\r\n").startswith(b"t BAD ")
    assert say(conn, b'u CREATE "a\0b"\r\n').startswith(b"u BAD ")
    assert say(conn, b"v CREATE {3+}\r\na\0b\r\n").startswith(b"v BAD ")


def test_data_is_not_wanted_while_much_waits() -> None:
    conn = connection()
    conn.receive_data(b"a NOOP\r\n" * 20_000)
    assert not conn.wants_data


def test_idle_with_an_endless_line() -> None:
    conn = connection()
    conn.receive_data(b"a IDLE\r\n")
    conn.next_event()
    conn.receive_data(b"x" * 20_000)
    assert conn.next_event() is None
    assert conn.closing


def test_bye_is_the_last_word() -> None:
    conn = connection()
    conn.receive_data(b"t NOOP\r\n")
    conn.next_event()
    assert conn.bye("Shutting down") == b"* BYE Shutting down\r\n"
    assert conn.send(b"* 5 EXISTS\r\n", ok("Done")) == b""


def test_literal_minus_refuses_large_messages_that_come_unasked() -> None:
    conn = ServerConnection(ServerProfile(tls_active=True, literal_plus=False))
    conn.state = State.AUTHENTICATED
    assert b"LITERAL-" in conn.capabilities()
    conn.receive_data(b"t APPEND INBOX {4097+}\r\n" + b"x" * 4097 + b"\r\nu APPEND INBOX {4096+}\r\n")
    event = conn.next_event()
    assert isinstance(event, AppendStarted)
    assert event.tag == b"u"
    assert conn.data_to_send() == b"t BAD Literal is too big to come unasked\r\n"
