"""What a client may not do, and that the server stays small and answers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.pop3 import (
    LocalProtocolError,
    Login,
    Maildrop,
    MessageStarted,
    Refused,
    Retrieve,
    ServerConnection,
    ServerProfile,
    StartTls,
    State,
    Top,
)
from barid_protocols.pop3.commands import COMMANDS
from barid_protocols.pop3.connection import MAX_BAD_COMMANDS
from barid_protocols.pop3.lines import MAX_SKIPPED
from barid_protocols.pop3.responses import MessageWriter
from barid_protocols.pop3.states import ALLOWED

OPEN = ServerProfile(plaintext_allowed=True)


def answers(connection: ServerConnection, data: bytes) -> bytes:
    """Take whatever comes, answering with a maildrop of two empty messages."""
    connection.receive_data(data)
    out = b""
    while (event := connection.next_event()) is not None:
        if isinstance(event, Login):
            out += connection.send(Maildrop([0, 0], ["a", "b"]))
        elif isinstance(event, Retrieve | Top):
            out += connection.send(MessageStarted(0)) + connection.send_end()
        else:
            out += connection.send()
            if isinstance(event, StartTls):
                connection.tls_established()
    return out + connection.data_to_send()


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("verb", [*COMMANDS, b"XYZZY"])
def test_every_command_in_every_state_is_answered(state: State, verb: bytes) -> None:
    connection = ServerConnection(OPEN)
    if state is State.NAMED:
        answers(connection, b"USER bob\r\n")
    elif state is State.TRANSACTION:
        answers(connection, b"USER bob\r\nPASS x\r\n")
    elif state is State.UPDATE:
        answers(connection, b"USER bob\r\nPASS x\r\nDELE 1\r\n")
        connection.receive_data(b"QUIT\r\n")
        assert connection.next_event() is not None
    elif state is State.CLOSED:
        answers(connection, b"QUIT\r\n")
    assert connection.state is state
    connection.receive_data(verb + b" 1\r\n")
    event = connection.next_event() if state is not State.UPDATE else None
    out = connection.data_to_send()
    if state in (State.CLOSED, State.UPDATE):
        assert (event, out) == (None, b"")
    elif verb in ALLOWED[state]:
        assert event is not None or out.startswith((b"+", b"-ERR"))
    else:
        assert event is None
        assert out.startswith(b"-ERR ")


def test_bad_commands_end_the_connection() -> None:
    connection = ServerConnection(OPEN)
    out = answers(connection, b"XYZZY\r\n" * 100)
    assert out.count(b"-ERR") == MAX_BAD_COMMANDS
    assert connection.closed


def test_a_long_line_is_refused_and_the_next_is_read() -> None:
    connection = ServerConnection(OPEN)
    out = answers(connection, b"USER " + b"x" * 10_000) + answers(connection, b"\r\nCAPA\r\n")
    assert out.startswith(b"-ERR line too long\r\n+OK capabilities")


def test_an_endless_line_ends_the_connection() -> None:
    connection = ServerConnection(OPEN)
    for _ in range(MAX_SKIPPED // 1000 + 2):
        answers(connection, b"x" * 1000)
    assert connection.closed


def test_the_host_is_told_to_stop_reading() -> None:
    connection = ServerConnection(OPEN)
    connection.receive_data(b"USER bob\r\nPASS x\r\n")
    assert isinstance(connection.next_event(), Login)
    assert connection.wants_data
    connection.receive_data(b"NOOP\r\n" * 20_000)
    assert not connection.wants_data
    connection.send(Maildrop([], []))
    assert connection.next_event() is None
    assert connection.wants_data


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_a_tls_handshake_on_the_plain_port(cut: int) -> None:
    hello = b"\x16\x03\x01\x02\x00\x01\x00"
    connection = ServerConnection(OPEN)
    out = answers(connection, hello[:cut]) + answers(connection, hello[cut:])
    assert out == b"-ERR this port does not begin with TLS\r\n"
    assert connection.closed


def test_a_nul_is_refused() -> None:
    assert answers(ServerConnection(OPEN), b"USER b\0b\r\n") == b"-ERR unknown command\r\n"


def test_the_host_cannot_answer_out_of_turn() -> None:
    connection = ServerConnection(OPEN)
    with pytest.raises(LocalProtocolError):
        connection.send()
    with pytest.raises(LocalProtocolError):
        connection.send_chunk(b"x")
    connection.receive_data(b"USER bob\r\nPASS x\r\n")
    connection.next_event()
    with pytest.raises(LocalProtocolError):
        connection.send(MessageStarted(1))
    assert connection.send(Refused("later", None)).endswith(b"-ERR later\r\n")


def test_a_hosts_text_stays_one_line() -> None:
    connection = ServerConnection(OPEN)
    connection.receive_data(b"USER bob\r\nPASS x\r\n")
    connection.next_event()
    assert connection.send(Refused("no\r\n+OK yes" * 100, None)).count(b"\r\n") == 2
    assert connection.close("bye\n") == b"-ERR [SYS/TEMP] bye?\r\n"


COMMAND_LINES = [
    *(verb for verb in COMMANDS),
    *(verb + b" 1" for verb in COMMANDS),
    b"TOP 1 1",
    b"AUTH PLAIN",
    b"AGEAYg==",
    b"*",
    b"",
    b"\x16\x03",
    b"GET / HTTP/1.1",
    b"x" * 300,
    b"\xff",
]


@given(st.lists(st.sampled_from(COMMAND_LINES), max_size=12), st.lists(st.integers(1, 40), max_size=30))
@settings(max_examples=80, deadline=None)
def test_chunks_never_change_what_is_answered(lines: list[bytes], cuts: list[int]) -> None:
    data = b"".join(line + b"\r\n" for line in lines if line != b"STLS")
    whole = answers(ServerConnection(OPEN), data)
    connection = ServerConnection(OPEN)
    pieces, position = [], 0
    for cut in [*cuts, len(data)]:
        pieces.append(answers(connection, data[position : position + cut]))
        position += cut
    assert b"".join(pieces) == whole


@given(st.binary(max_size=300))
@settings(max_examples=80, deadline=None)
def test_noise_never_raises(data: bytes) -> None:
    answers(ServerConnection(OPEN), data)


TEXTS = st.lists(st.sampled_from([b".", b"..", b"\r\n", b"\n", b"\r", b"x", b"\r\n.\r\n", b"\r\n\r\n"]), max_size=14)


def unstuffed(reply: bytes) -> bytes:
    """As a client reads it: by lines, up to the one of a single dot."""
    lines = reply.split(b"\n")
    end = lines.index(b".\r")
    assert lines[end + 1 :] == [b""], "something follows the end"
    return b"".join((line[1:] if line.startswith(b".") else line) + b"\n" for line in lines[:end])


@given(TEXTS.map(b"".join), st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_stuffing_round_trip(message: bytes, chunk: int) -> None:
    writer = MessageWriter()
    out = b"".join(writer.write(message[start : start + chunk]) for start in range(0, len(message), chunk))
    received = unstuffed(out + writer.finish())
    assert received in (message, message + b"\r\n")


@given(TEXTS.map(b"".join), st.integers(0, 4), st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_top_is_the_header_and_so_many_lines(body: bytes, lines: int, chunk: int) -> None:
    message = b"Subject: x\r\n\r\n" + body
    writer = MessageWriter(lines)
    out = b"".join(writer.write(message[start : start + chunk]) for start in range(0, len(message), chunk))
    wanted = b"Subject: x\r\n\r\n" + b"".join(line + b"\n" for line in body.split(b"\n")[:lines])
    if body.count(b"\n") < lines:
        wanted = message
    assert unstuffed(out + writer.finish()) in (wanted, wanted + b"\r\n")
