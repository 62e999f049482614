"""The two cores talk to each other, with nothing between them."""

from dataclasses import replace

import pytest

from barid_protocols.smtp import (
    AuthDone,
    ClientConnection,
    ClientEvent,
    DataChunk,
    Decision,
    EnvelopeDone,
    LocalError,
    Lost,
    MessageDone,
    Phase,
    RcptTo,
    ServerConnection,
    ServerOptions,
    StartTls,
    lmtp,
    mx,
    replies,
    submission,
)


class Wire:
    """A server that knows nobody called "unknown", and a client; ``turn`` carries octets until both are silent."""

    def __init__(self, options: ServerOptions) -> None:
        self.server = ServerConnection(options)
        self.client = ClientConnection(lmtp=options.lmtp)
        self.message = b""
        self.upgrade = False

    def serve(self, data: bytes) -> bytes:
        server = self.server
        server.receive_data(data)
        out = b""
        while (event := server.next_event()) is not None:
            match event:
                case RcptTo(recipients):
                    known = {"unknown": replies.NO_SUCH_USER}
                    out += server.send([known.get(address.local, replies.RECIPIENT_OK) for address in recipients])
                case DataChunk(chunk):
                    self.message += chunk
                case StartTls():
                    self.upgrade = True
                    out += server.send()
                case Decision():
                    out += server.send()
        return out + server.data_to_send()

    def turn(self) -> list[ClientEvent]:
        events: list[ClientEvent] = []
        while True:
            answer = self.serve(self.client.data_to_send())
            self.client.receive_data(answer)
            while (event := self.client.next_event()) is not None:
                events.append(event)
            if self.upgrade:
                self.upgrade = False
                self.server.tls_established()
                self.client.tls_established()
            if not answer:
                return events


MESSAGE = b"Subject: x\r\n\r\n.\r\n..\r\n.dot\r\nlast\r\n"


@pytest.mark.parametrize("options", [mx("mx.example.org", starttls=True), lmtp("mx.example.org")], ids=["smtp", "lmtp"])
@pytest.mark.parametrize("known", [True, False])
def test_a_message_crosses(options: ServerOptions, known: bool) -> None:
    wire = Wire(options)
    wire.turn()
    wire.client.hello("relay.example.net")
    wire.turn()
    assert wire.client.capabilities.max_size == options.max_size
    if not known:
        wire.client.begin("a@example.net", ["unknown@example.org"], size=len(MESSAGE))
        [done] = wire.turn()
        assert isinstance(done, EnvelopeDone)
        assert done.recipients == (replies.NO_SUCH_USER,)
    for _ in range(2):
        wire.message = b""
        wire.client.begin(
            "a@example.net",
            ["b@example.org", "unknown@example.org", "c@example.org"],
            size=len(MESSAGE),
            eight_bit=True,
        )
        [done] = wire.turn()
        assert isinstance(done, EnvelopeDone)
        assert done.ready
        assert [reply.code for reply in done.recipients] == [250, 550, 250]
        wire.client.send_body(MESSAGE[:15])
        wire.client.send_body(MESSAGE[15:])
        wire.client.end_body()
        assert wire.turn() == [MessageDone((replies.MESSAGE_ACCEPTED,) * 2)]
        assert wire.message == MESSAGE
    wire.client.quit()
    [lost] = wire.turn()
    assert isinstance(lost, Lost)
    assert lost.phase is Phase.QUIT
    assert wire.server.closed


def test_a_log_in_crosses_after_tls() -> None:
    wire = Wire(replace(submission("mx.example.org"), starttls=True))
    wire.turn()
    wire.client.hello("client.example.net")
    wire.turn()
    with pytest.raises(LocalError):
        wire.client.authenticate("alice", "secret")
    wire.client.starttls()
    wire.turn()
    assert (wire.client.tls, wire.server.tls) == (True, True)
    wire.client.hello("client.example.net")
    wire.turn()
    wire.client.authenticate("alice", "pässword")
    assert wire.turn() == [AuthDone(replies.AUTH_SUCCEEDED)]
    assert wire.server.login == "alice"
    # A password too long for the AUTH line goes after a challenge.
    wire = Wire(replace(submission("mx.example.org"), allow_plaintext_auth=True))
    wire.turn()
    wire.client.hello("client.example.net")
    wire.turn()
    wire.client.authenticate("alice", "p" * 800, allow_plaintext=True)
    assert wire.turn() == [AuthDone(replies.AUTH_SUCCEEDED)]
