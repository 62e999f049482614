"""The client core in dialogue with servers, good and bad. ``C`` is what it sent, ``S`` what it is told."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.smtp import (
    AuthDone,
    ClientConnection,
    ClientEvent,
    EnvelopeDone,
    Greeted,
    HelloDone,
    LocalError,
    Lost,
    MessageDone,
    Phase,
    Reply,
    TlsReady,
)
from barid_protocols.smtp.client_replies import BadReply, ReplyReader

EHLO = b"250-mx.example.org\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
BARE = b"250 mx.example.org\r\n"


def told(client: ClientConnection, data: bytes) -> list[ClientEvent]:
    client.receive_data(data)
    events = []
    while (event := client.next_event()) is not None:
        events.append(event)
    return events


def ready(ehlo: bytes = EHLO, *, lmtp: bool = False, tls: bool = False) -> ClientConnection:
    client = ClientConnection(lmtp=lmtp, tls=tls)
    assert isinstance(told(client, b"220 mx.example.org\r\n")[0], Greeted)
    client.hello("relay.example.net")
    assert client.data_to_send() == (b"LHLO" if lmtp else b"EHLO") + b" relay.example.net\r\n"
    assert isinstance(told(client, ehlo)[0], HelloDone)
    assert client.idle
    return client


def test_a_pipelined_envelope_and_a_body() -> None:
    client = ready()
    client.begin("alice@example.net", ["bob@example.org", "carol@example.org"], size=20, eight_bit=True)
    assert client.data_to_send() == (
        b"MAIL FROM:<alice@example.net> SIZE=20 BODY=8BITMIME\r\n"
        b"RCPT TO:<bob@example.org>\r\nRCPT TO:<carol@example.org>\r\nDATA\r\n"
    )
    assert told(client, b"250 ok\r\n250 ok\r\n550 5.1.1 no carol\r\n") == []
    [event] = told(client, b"354 go\r\n")
    assert event == EnvelopeDone(
        Reply(250, "", "ok"), (Reply(250, "", "ok"), Reply(550, "5.1.1", "no carol")), Reply(354, "", "go"), ready=True
    )
    client.send_body(b"one\r\n.two\r")
    client.send_body(b"\n.three")
    client.end_body()
    assert client.data_to_send() == b"one\r\n..two\r\n..three\r\n.\r\n"
    assert told(client, b"250 2.0.0 queued\r\n") == [MessageDone((Reply(250, "2.0.0", "queued"),))]
    client.quit()
    assert client.data_to_send() == b"QUIT\r\n"
    assert told(client, b"221 bye\r\n") == [Lost(Phase.QUIT, "quit", Reply(221, "", "bye"))]


def test_without_pipelining_each_command_waits() -> None:
    client = ready(BARE)
    client.begin("", ["bob@example.org", "carol@example.org"], size=20)
    for expected, reply in [
        (b"MAIL FROM:<>\r\n", b"250 ok\r\n"),
        (b"RCPT TO:<bob@example.org>\r\n", b"450 4.2.1 later\r\n"),
        (b"RCPT TO:<carol@example.org>\r\n", b"250 ok\r\n"),
    ]:
        assert client.data_to_send() == expected
        assert told(client, reply) == []
    assert client.data_to_send() == b"DATA\r\n"
    [event] = told(client, b"354 go\r\n")
    assert isinstance(event, EnvelopeDone)
    assert event.ready
    assert [reply.code for reply in event.recipients] == [450, 250]


@pytest.mark.parametrize("ehlo", [EHLO, BARE], ids=["pipelined", "one by one"])
def test_nobody_accepted(ehlo: bytes) -> None:
    client = ready(ehlo)
    client.begin("a@example.net", ["bob@example.org"])
    client.data_to_send()
    assert told(client, b"250 ok\r\n") == []
    client.data_to_send()
    [event] = told(client, b"550 5.1.1 no bob\r\n" + (b"503 none\r\n" if ehlo is EHLO else b""))
    assert isinstance(event, EnvelopeDone)
    assert not event.ready
    assert event.recipients == (Reply(550, "5.1.1", "no bob"),)
    # The server may still hold the sender, so the next envelope is led by RSET.
    client.begin("a@example.net", ["carol@example.org"])
    assert client.data_to_send().startswith(b"RSET\r\n")
    if ehlo is EHLO:
        [event] = told(client, b"250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n")
    else:
        assert told(client, b"250 reset\r\n") == []
        assert client.data_to_send() == b"MAIL FROM:<a@example.net>\r\n"
        assert told(client, b"250 ok\r\n") + told(client, b"250 ok\r\n") == []
        [event] = told(client, b"354 go\r\n")
    assert isinstance(event, EnvelopeDone)
    assert event.ready


def test_a_server_that_wants_data_for_nobody_gets_a_lone_dot() -> None:
    # RFC 2920 section 3.1
    client = ready()
    client.begin("a@example.net", ["bob@example.org"])
    client.data_to_send()
    assert told(client, b"250 ok\r\n550 no bob\r\n354 go\r\n") == []
    assert client.data_to_send() == b".\r\n"
    [event] = told(client, b"250 delivered to nobody\r\n")
    assert event == EnvelopeDone(Reply(250, "", "ok"), (Reply(550, "", "no bob"),), None, ready=False)


def test_a_refused_sender_is_the_fate_of_all() -> None:
    client = ready()
    client.begin("a@example.net", ["bob@example.org", "carol@example.org"])
    [event] = told(client, b"451 4.7.1 greylisted\r\n503 no\r\n503 no\r\n503 no\r\n")
    later = Reply(451, "4.7.1", "greylisted")
    assert event == EnvelopeDone(later, (later, later), Reply(503, "", "no"), ready=False)


def test_refused_data_is_the_fate_of_who_was_accepted() -> None:
    client = ready()
    client.begin("a@example.net", ["bob@example.org", "carol@example.org"])
    [event] = told(client, b"250 ok\r\n250 ok\r\n550 no\r\n452 full\r\n")
    assert isinstance(event, EnvelopeDone)
    assert [reply.code for reply in event.recipients] == [452, 550]


def test_lmtp_answers_each_recipient() -> None:
    client = ready(lmtp=True)
    client.begin("a@example.net", ["b@example.org", "c@example.org", "d@example.org"])
    told(client, b"250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n")
    client.end_body()
    assert told(client, b"250 b\r\n") == []
    assert told(client, b"452 4.2.2 full\r\n") == [MessageDone((Reply(250, "", "b"), Reply(452, "4.2.2", "full")))]


def test_lmtp_lost_between_two_answers_tells_what_is_settled() -> None:
    client = ready(lmtp=True)
    client.begin("a@example.net", ["b@example.org", "c@example.org"])
    told(client, b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n")
    client.end_body()
    told(client, b"250 b\r\n")
    client.receive_eof()
    assert told(client, b"") == [Lost(Phase.END_OF_BODY, "server closed the connection", None, (Reply(250, "", "b"),))]


def test_ehlo_falls_back_to_helo() -> None:
    client = ClientConnection()
    told(client, b"220 old\r\n")
    client.hello("relay.example.net")
    client.data_to_send()
    assert told(client, b"502 what\r\n") == []
    assert client.data_to_send() == b"HELO relay.example.net\r\n"
    [event] = told(client, b"250 hello\r\n")
    assert isinstance(event, HelloDone)
    assert event.capabilities.names == frozenset()


def test_starttls_forgets_and_injected_replies_end_it() -> None:
    client = ready(b"250-mx\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n")
    assert "STARTTLS" in client.capabilities
    client.starttls()
    assert client.data_to_send() == b"STARTTLS\r\n"
    assert told(client, b"220 go\r\n") == [TlsReady(Reply(220, "", "go"))]
    client.tls_established()
    assert client.tls
    assert client.capabilities.names == frozenset()

    client = ready()
    client.starttls()
    [event] = told(client, b"220 go\r\n250-mx\r\n250 AUTH PLAIN\r\n")
    assert isinstance(event, Lost)
    assert event.phase is Phase.STARTTLS

    client = ready()
    client.starttls()
    told(client, b"220 go\r\n")
    assert isinstance(told(client, b"2")[0], Lost)


def test_a_refused_starttls_leaves_the_session() -> None:
    client = ready()
    client.starttls()
    assert told(client, b"454 4.7.0 not now\r\n") == [TlsReady(Reply(454, "4.7.0", "not now"))]
    assert client.idle


def test_log_in_by_plain_and_login() -> None:
    client = ready(b"250-mx\r\n250 AUTH LOGIN PLAIN\r\n", tls=True)
    client.authenticate("alice", "secret")
    assert client.data_to_send() == b"AUTH PLAIN " + base64.b64encode(b"\0alice\0secret") + b"\r\n"
    assert told(client, b"235 2.7.0 yes\r\n") == [AuthDone(Reply(235, "2.7.0", "yes"))]

    client = ready(b"250-mx\r\n250 AUTH=LOGIN\r\n", tls=True)
    client.authenticate("alice", "secret")
    assert client.data_to_send() == b"AUTH LOGIN\r\n"
    told(client, b"334 VXNlcm5hbWU6\r\n")
    assert client.data_to_send() == base64.b64encode(b"alice") + b"\r\n"
    told(client, b"334 UGFzc3dvcmQ6\r\n")
    assert client.data_to_send() == base64.b64encode(b"secret") + b"\r\n"
    assert told(client, b"535 5.7.8 no\r\n") == [AuthDone(Reply(535, "5.7.8", "no"))]


def test_no_password_leaves_without_tls() -> None:
    client = ready(b"250-mx\r\n250 AUTH PLAIN\r\n")
    with pytest.raises(LocalError):
        client.authenticate("alice", "secret")
    client.authenticate("alice", "secret", allow_plaintext=True)


@pytest.mark.parametrize(
    "path",
    ["a@b\r\nRCPT TO:<x@y>", "a b@c", "a>@b", "", '"a\r\n"@b', "a@b>", '"a"b"@c', "a\0@b", "\ud800@b", "a\x85@b"],
)
def test_no_address_can_carry_a_command(path: str) -> None:
    client = ready()
    with pytest.raises(LocalError):
        client.begin("alice@example.net", [path])
    with pytest.raises(LocalError):
        client.hello("x\r\nQUIT")


def test_smtputf8_is_declared_when_an_address_needs_it() -> None:
    client = ready()
    client.begin("", ["bøb@example.org"])
    assert client.data_to_send().startswith(b"MAIL FROM:<> SMTPUTF8\r\nRCPT TO:<b\xc3\xb8b@example.org>")
    with pytest.raises(LocalError):
        ready(BARE).begin("", ["bøb@example.org"])


def test_quoted_local_parts_go_out_as_they_are() -> None:
    client = ready()
    client.begin("", ['"b o>b"@example.org'])
    assert b'RCPT TO:<"b o>b"@example.org>\r\n' in client.data_to_send()


@pytest.mark.parametrize(
    "said",
    [
        b"hello\r\n",
        b"250-a\r\n251 b\r\n",
        b"250x\r\n",
        b"99 x\r\n",
        b"2" * 5000,
        b"250-x\r\n" * 200,
        b"\r\n",
        b"354 x\r\n",
    ],
)
def test_what_is_no_reply_ends_the_connection(said: bytes) -> None:
    client = ready()
    client.reset()
    events = told(client, said)
    assert isinstance(events[-1], Lost)
    assert told(client, b"250 ok\r\n") == []


def test_the_server_may_close_while_nothing_is_asked() -> None:
    assert told(ready(), b"421 4.4.2 bye\r\n") == [Lost(Phase.IDLE, "server is closing", Reply(421, "4.4.2", "bye"))]
    [lost] = told(ready(), b"250 what?\r\n")
    assert isinstance(lost, Lost)


def test_replies_are_made_safe_to_show() -> None:
    client = ready()
    client.reset()
    [event] = told(client, b"250-2.0.0 a\x1b[31m\r\n250 2.0.0 \xff\r\n")
    assert event.reply.lines == ("a?[31m", "?")  # type: ignore[union-attr]


def test_a_reply_before_its_command_is_no_answer() -> None:
    client = ready(BARE)
    client.begin("a@example.net", ["bob@example.org"])
    client.data_to_send()
    assert told(client, b"250 ok\r\n250 ok\r\n") == [Lost(Phase.ENVELOPE, "reply that nothing waits for")]
    assert client.data_to_send() == b""
    client = ready()
    client.receive_data(b"25")
    client.quit()
    assert told(client, b"") == [Lost(Phase.IDLE, "reply that nothing waits for")]


def test_operations_out_of_turn_are_refused_here() -> None:
    client = ClientConnection()
    for call in (client.end_body, client.quit, client.tls_established, lambda: client.hello("x")):
        with pytest.raises(LocalError):
            call()


SAID = [b"250 ok", b"354 go", b"550 5.1.1 no", b"421 bye", b"220 x", b"334 eA==", b"250-a", b"x"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(SAID), max_size=12), st.booleans(), st.booleans())
def test_every_server_is_survived(said: list[bytes], lmtp: bool, pipelining: bool) -> None:
    client = ready(EHLO if pipelining else BARE, lmtp=lmtp)
    client.begin("a@example.net", ["b@example.org", "c@example.org"])
    events: list[ClientEvent] = []
    # A line at a time: the core tells apart what came before its command was sent, so reads are not interchangeable.
    for line in said:
        for event in told(client, line + b"\r\n"):
            events.append(event)
            if isinstance(event, EnvelopeDone) and event.ready:
                client.send_body(b"x")
                client.end_body()
    client.receive_eof()
    events += told(client, b"")
    assert sum(isinstance(event, Lost) for event in events) == 1
    assert isinstance(events[-1], Lost)
    if any(isinstance(event, MessageDone) for event in events):
        assert client.data_to_send().endswith(b"x\r\n.\r\n")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([b"250-a", b"250 b", b"550 5.1.1 c", b"250-2.1.0 d", b"x"]), max_size=8), st.data())
def test_cuts_do_not_change_replies(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(line + b"\r\n" for line in lines)
    place = data.draw(st.integers(min_value=0, max_value=len(stream)))

    def run(pieces: list[bytes]) -> list[object]:
        reader = ReplyReader()
        got: list[object] = []
        for piece in pieces:
            reader.feed(piece)
            try:
                while (reply := reader.next_reply()) is not None:
                    got.append(reply)
            except BadReply as error:
                return [*got, str(error)]
        return got

    assert (
        run([stream]) == run([stream[:place], stream[place:]]) == run([stream[i : i + 1] for i in range(len(stream))])
    )
