"""Every (state, input) pair is answered: by the table, and by a live connection."""

from dataclasses import replace

import pytest

from barid_protocols.smtp import Decision, ServerConnection, State, lmtp, replies, submission
from barid_protocols.smtp.commands import LMTP, SETTLE, SMTP
from barid_protocols.smtp.states import TRANSITIONS, Input, out_of_sequence

OPTIONS = replace(submission("mx.example.org"), allow_plaintext_auth=True, requires_auth=False, max_errors=100)

# What a client says to bring a fresh connection into each state that reads commands.
WAY = {
    State.GREETED: b"",
    State.READY: b"EHLO c\r\n",
    State.SENDER: b"EHLO c\r\nMAIL FROM:<>\r\n",
    State.RECIPIENTS: b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\n",
}
LINE = {
    Input.EHLO: b"EHLO c",
    Input.HELO: b"HELO c",
    Input.LHLO: b"LHLO c",
    Input.STARTTLS: b"STARTTLS",
    Input.AUTH: b"AUTH LOGIN",
    Input.MAIL: b"MAIL FROM:<>",
    Input.RCPT: b"RCPT TO:<b@example.org>",
    Input.DATA: b"DATA",
    Input.RSET: b"RSET",
    Input.VRFY: b"VRFY a",
    Input.EXPN: b"EXPN a",
    Input.HELP: b"HELP",
    Input.NOOP: b"NOOP",
    Input.QUIT: b"QUIT",
}


def talk(conn: ServerConnection, data: bytes) -> bytes:
    conn.receive_data(data)
    out = b""
    while (event := conn.next_event()) is not None:
        if isinstance(event, Decision):
            out += conn.send()
    return out + conn.data_to_send()


@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
@pytest.mark.parametrize("step", Input, ids=lambda step: step.name)
def test_the_table_has_an_answer_for_every_pair(state: State, step: Input) -> None:
    after = TRANSITIONS[state].get(step)
    refusal = out_of_sequence(state, step)
    assert (after is None) != (refusal is None)
    if refusal is not None:
        assert refusal.code == 503


def test_every_state_can_be_reached_and_left() -> None:
    reached = {after for steps in TRANSITIONS.values() for after in steps.values()}
    assert reached | {State.CONNECTED} == set(State)
    assert [state for state in State if not TRANSITIONS[state]] == [State.CLOSED]


@pytest.mark.parametrize("state", WAY, ids=lambda state: state.name)
@pytest.mark.parametrize("step", LINE, ids=lambda step: step.name)
def test_a_connection_does_what_the_table_says(state: State, step: Input) -> None:
    conn = ServerConnection(OPTIONS)
    talk(conn, WAY[state])
    assert conn.state is state
    reply = talk(conn, LINE[step] + b"\r\n")
    assert reply.endswith(b"\r\n")
    refusal = out_of_sequence(state, step)
    if step is Input.LHLO:
        assert reply == replies.UNKNOWN_COMMAND.encoded
        assert conn.state is state
    elif refusal is not None:
        assert reply == refusal.encoded
        assert conn.state is state
    elif step is Input.EXPN:
        assert reply == replies.NOT_IMPLEMENTED.encoded
    else:
        assert reply[:1] in b"23"
        assert conn.state is TRANSITIONS[state][step]


@pytest.mark.parametrize("commands", [SMTP, LMTP], ids=["smtp", "lmtp"])
def test_every_command_stands_under_its_own_name(commands: dict[bytes, object]) -> None:
    for verb, command in commands.items():
        assert command.step.value.encode() == verb  # type: ignore[attr-defined]


def test_every_decision_has_a_way_to_settle_it() -> None:
    assert set(SETTLE) == set(Decision.__subclasses__())


def test_lmtp_reaches_data_by_the_same_table() -> None:
    conn = ServerConnection(lmtp("mx.example.org"))
    talk(conn, b"LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n")
    assert conn.state is State.DATA
