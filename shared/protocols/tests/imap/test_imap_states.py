"""Every (state, command) pair is answered: let through where RFC 3501 §3 allows it, refused by BAD elsewhere."""

import pytest

from barid_protocols.imap.commands import COMMANDS
from barid_protocols.imap.commands.append import AppendStarted
from barid_protocols.imap.commands.authenticate import Authenticate
from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.connection import ServerConnection
from barid_protocols.imap.gate import ServerProfile
from barid_protocols.imap.responses import Status, no, ok
from barid_protocols.imap.states import ALLOWED, TRANSITIONS, State, after, allows_expunge, refusal

ARGUMENTS = {
    b"APPEND": b" INBOX {3+}\r\nabc",
    b"AUTHENTICATE": b" PLAIN AGFsaWNlAHNlY3JldA==",
    b"COMPRESS": b" DEFLATE",
    b"COPY": b" 1 Sent",
    b"CREATE": b" x",
    b"DELETE": b" x",
    b"ENABLE": b" CONDSTORE",
    b"EXAMINE": b" INBOX",
    b"FETCH": b" 1 FLAGS",
    b"ID": b" NIL",
    b"LIST": b' "" *',
    b"LOGIN": b" alice secret",
    b"LSUB": b' "" *',
    b"MOVE": b" 1 Sent",
    b"RENAME": b" x y",
    b"REPLACE": b" 1 INBOX {3+}\r\nabc",
    b"SEARCH": b" ALL",
    b"SELECT": b" INBOX",
    b"SORT": b" (DATE) UTF-8 ALL",
    b"STATUS": b" x (MESSAGES)",
    b"STORE": b" 1 FLAGS ()",
    b"SUBSCRIBE": b" x",
    b"THREAD": b" REFERENCES UTF-8 ALL",
    b"UID COPY": b" 1 Sent",
    b"UID EXPUNGE": b" 1",
    b"UID FETCH": b" 1 FLAGS",
    b"UID MOVE": b" 1 Sent",
    b"UID REPLACE": b" 1 INBOX {3+}\r\nabc",
    b"UID SEARCH": b" ALL",
    b"UID SORT": b" (DATE) UTF-8 ALL",
    b"UID STORE": b" 1 FLAGS ()",
    b"UID THREAD": b" REFERENCES UTF-8 ALL",
    b"UNSUBSCRIBE": b" x",
}
LIVING = [State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED]


def connection(state: State, *, tls_active: bool = True) -> ServerConnection:
    conn = ServerConnection(ServerProfile(tls_active=tls_active, plaintext_allowed=True))
    conn.state = state
    return conn


def test_the_table_knows_every_command_and_no_other() -> None:
    assert frozenset().union(*ALLOWED.values()) == COMMANDS
    assert {command for command, _ in TRANSITIONS} <= COMMANDS
    assert set(ALLOWED) == set(State)


@pytest.mark.parametrize("state", LIVING, ids=lambda state: state.name)
@pytest.mark.parametrize("name", sorted(COMMANDS), ids=lambda name: name.decode())
def test_every_command_in_every_state(state: State, name: bytes) -> None:
    conn = connection(state, tls_active=name != b"STARTTLS")
    conn.receive_data(b"t1 " + name + ARGUMENTS.get(name, b"") + b"\r\n")
    event = conn.next_event()
    if name not in ALLOWED[state]:
        assert event is None
        assert conn.data_to_send() == f"t1 BAD {refusal(state, name)}\r\n".encode()
        assert conn.state is state
        return
    if name == b"CAPABILITY":
        assert event is None
        assert conn.data_to_send().endswith(b"t1 OK Done\r\n")
        return
    assert isinstance(event, Command)
    assert event.tag == b"t1"
    assert event.name == name
    assert isinstance(event, Authenticate) == (name == b"AUTHENTICATE")
    if isinstance(event, AppendStarted):
        conn.accept_append()
        conn.next_event()
        conn.next_event()
    if name == b"IDLE":
        conn.receive_data(b"DONE\r\n")
        conn.next_event()
    said = conn.send(ok("Done"))
    assert b"t1 OK " in said
    assert conn.state is after(state, name, Status.OK)


def test_nothing_is_allowed_after_logout() -> None:
    for name in COMMANDS:
        assert refusal(State.LOGOUT, name) is not None


def test_a_select_that_fails_deselects_and_one_that_is_malformed_does_not() -> None:
    conn = connection(State.SELECTED)
    conn.receive_data(b"a SELECT &\r\nb SELECT Nowhere\r\n")
    conn.next_event()
    assert conn.state is State.SELECTED
    conn.send(no("No such mailbox"))
    assert conn.state is State.AUTHENTICATED


def test_expunge_is_held_back_where_numbers_count() -> None:
    held = {name for name in COMMANDS if not allows_expunge(name)}
    assert held == {b"FETCH", b"STORE", b"SEARCH", b"SORT", b"THREAD"}


def test_plaintext_behind_starttls_is_forgotten() -> None:
    conn = connection(State.NOT_AUTHENTICATED, tls_active=False)
    conn.receive_data(b"a STARTTLS\r\nb LOGIN mallory x\r\n")
    assert conn.next_event() is not None
    assert conn.send(ok("Go on")) == b"a OK Go on\r\n"
    assert conn.next_event() is None
    conn.tls_started()
    assert conn.next_event() is None
    assert conn.data_to_send() == b""
