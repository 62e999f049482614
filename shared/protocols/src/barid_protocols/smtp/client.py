"""The client's door: operations in, octets and events out.

    client = ClientConnection()
    client.receive_data(data) … client.next_event() → Greeted
    client.hello("relay.example.org")                 → HelloDone
    client.starttls()                                 → TlsReady, handshake, client.tls_established(), hello again
    client.begin(sender, recipients, size=…)          → EnvelopeDone
    client.send_body(chunk) …; client.end_body()      → MessageDone
    client.quit()                                     → Lost
    after each call and each event: transport.write(client.data_to_send())

Rules:
- One operation at a time; calling out of turn is LocalError. Each ends in one event of its own, or in Lost.
- If PIPELINING was offered an envelope goes out as one group (RFC 2920); else command by command, from ``next_event``.
- Replies are matched to commands by order alone. A reply that nothing waits for ends the connection, except 421.
- Nothing that came before the TLS handshake is kept: octets behind the 220 end the connection (response injection), and
  capabilities are forgotten (RFC 3207 §4.2).
- Addresses and names are checked before they are sent (``client_lines``).
"""

from collections.abc import Sequence

from barid_protocols.smtp.client_envelope import Envelope, OutOfPlace
from barid_protocols.smtp.client_events import (
    AuthDone,
    ClientEvent,
    Greeted,
    HelloDone,
    Lost,
    Phase,
    ResetDone,
    TlsReady,
)
from barid_protocols.smtp.client_lines import envelope_lines, hello_line
from barid_protocols.smtp.client_login import Login
from barid_protocols.smtp.client_replies import BadReply, Capabilities, ReplyReader
from barid_protocols.smtp.errors import LocalError
from barid_protocols.smtp.replies import Reply


class ClientConnection:
    """One connection to a server. ``lmtp`` speaks RFC 2033; ``tls`` if the transport was encrypted from the start."""

    __slots__ = (
        "_eof",
        "_hello_name",
        "_lmtp",
        "_login",
        "_lost",
        "_open",
        "_out",
        "_phase",
        "_reader",
        "_transaction",
        "_tried_helo",
        "capabilities",
        "tls",
    )

    def __init__(self, *, lmtp: bool = False, tls: bool = False) -> None:
        self.capabilities = Capabilities()
        self.tls = tls
        self._lmtp = lmtp
        self._phase = Phase.GREETING
        self._reader = ReplyReader()
        self._out: list[bytes] = []
        self._transaction: Envelope | None = None
        self._login: Login | None = None
        self._hello_name = ""
        self._tried_helo = False
        self._lost: Lost | None = None
        self._eof = False
        # The server may hold a transaction that came to nothing; a RSET leads the next envelope.
        self._open = False

    @property
    def phase(self) -> Phase:
        return self._phase

    @property
    def idle(self) -> bool:
        """Ready for the next operation."""
        return self._phase is Phase.IDLE

    def data_to_send(self) -> bytes:
        """All octets owed to the server, once."""
        result = b"".join(self._out)
        self._out.clear()
        return result

    def receive_data(self, data: bytes) -> None:
        """Keep what was read. Feed what each read gave before reading more: the core bounds a reply, not a read."""
        if self._phase is Phase.CLOSED:
            return
        if self._phase is Phase.TLS:
            self._lose("server sent plaintext after agreeing to TLS")
            return
        self._reader.feed(data)

    def receive_eof(self) -> None:
        self._eof = True

    def next_event(self) -> ClientEvent | None:
        """The next event, or None until there is more input. Never raises for what the server sent."""
        while self._lost is None and self._phase is not Phase.CLOSED:
            try:
                reply = self._reader.next_reply()
            except BadReply as error:
                self._lose(str(error))
                break
            if reply is None:
                if self._eof:
                    self._lose("server closed the connection")
                break
            event = self._on_reply(reply)
            if event is not None:
                return event
        lost, self._lost = self._lost, None
        return lost

    # Operations.

    def hello(self, name: str) -> None:
        """EHLO (LHLO for LMTP); falls back to HELO where EHLO is not known."""
        self._need(Phase.IDLE)
        line = hello_line("LHLO" if self._lmtp else "EHLO", name)
        self._hello_name = name
        self._tried_helo = False
        self.capabilities = Capabilities()
        self._command(line, Phase.HELLO)

    def starttls(self) -> None:
        self._need(Phase.IDLE)
        if self.tls:
            raise LocalError("TLS is active")
        self._command("STARTTLS", Phase.STARTTLS)

    def tls_established(self) -> None:
        """The handshake is done: say hello again."""
        self._need(Phase.TLS)
        self.tls = True
        self.capabilities = Capabilities()
        self._phase = Phase.IDLE

    def authenticate(self, login: str, password: str, *, allow_plaintext: bool = False) -> None:
        """PLAIN, or LOGIN where that is all there is. Raises LocalError if neither is offered, for credentials that
        cannot be sent, and without TLS unless ``allow_plaintext``."""
        self._need(Phase.IDLE)
        if not self.tls and not allow_plaintext:
            raise LocalError("no log-in without TLS")
        self._login = Login(self.capabilities, login, password)
        self._command(self._login.line, Phase.AUTH)

    def begin(
        self,
        reverse_path: str,
        recipients: Sequence[str],
        *,
        size: int | None = None,
        eight_bit: bool = False,
        smtputf8: bool = False,
    ) -> None:
        """MAIL, RCPT for each, DATA. Addresses without brackets, "" for the null path.

        ``size`` and ``eight_bit`` are declared where the server knows them. Raises LocalError for an address that could
        not be sent safely, for none at all, and for ``smtputf8`` or a non-ASCII address if SMTPUTF8 is not offered.
        """
        self._need(Phase.IDLE)
        mail, recipient_lines = envelope_lines(
            self.capabilities, reverse_path, recipients, size=size, eight_bit=eight_bit, smtputf8=smtputf8
        )
        if self._unasked():
            return
        self._transaction = Envelope(
            mail,
            recipient_lines,
            lmtp=self._lmtp,
            pipelining="PIPELINING" in self.capabilities,
            reset=self._open,
        )
        self._open = False
        self._phase = Phase.ENVELOPE
        self._out.append(self._transaction.begin())

    def send_body(self, chunk: bytes) -> None:
        """A piece of the message as stored, cut anywhere. Bare CR and LF leave as CR LF; dots are stuffed."""
        self._need(Phase.BODY)
        assert self._transaction is not None
        self._out.append(self._transaction.stuffer.feed(chunk))

    def end_body(self) -> None:
        self._need(Phase.BODY)
        assert self._transaction is not None
        self._out.append(self._transaction.stuffer.finish())
        self._phase = Phase.END_OF_BODY

    def reset(self) -> None:
        self._need(Phase.IDLE)
        self._command("RSET", Phase.RESET)

    def quit(self) -> None:
        """Lost follows, when the server has answered or closed."""
        self._need(Phase.IDLE)
        self._command("QUIT", Phase.QUIT)

    # Replies.

    def _need(self, phase: Phase) -> None:
        if self._phase is not phase:
            raise LocalError(f"not in phase {self._phase.value}")

    def _command(self, line: str, phase: Phase) -> None:
        if self._unasked():
            return
        self._out.append(f"{line}\r\n".encode("ascii"))
        self._phase = phase

    def _unasked(self) -> bool:
        """A reply, or a part of one, came before its command: it would be taken for the answer to what is sent next."""
        if self._reader.empty:
            return False
        self._lose("reply that nothing waits for")
        return True

    def _lose(self, reason: str, reply: Reply | None = None) -> None:
        final = tuple(self._transaction.final) if self._transaction else ()
        self._lost = Lost(self._phase, reason, reply, final)
        self._phase = Phase.CLOSED
        self._transaction = None
        self._login = None

    def _on_reply(self, reply: Reply) -> ClientEvent | None:
        """One reply, in order. None if the operation goes on."""
        match self._phase:
            case Phase.ENVELOPE:
                return self._on_envelope(reply)
            case Phase.END_OF_BODY:
                return self._on_final(reply)
            case Phase.AUTH:
                return self._on_auth(reply)
            case Phase.QUIT:
                self._lose("quit", reply)
                return None
            case Phase.BODY | Phase.IDLE:
                self._lose("server is closing" if reply.code == 421 else "reply that nothing waits for", reply)
                return None
        if 300 <= reply.code < 400:
            self._lose("reply out of place", reply)
            return None
        match self._phase:
            case Phase.GREETING:
                self._phase = Phase.IDLE
                return Greeted(reply)
            case Phase.HELLO:
                return self._on_hello(reply)
            case Phase.STARTTLS:
                return self._on_starttls(reply)
            case _:
                self._phase = Phase.IDLE
                return ResetDone(reply)

    def _on_hello(self, reply: Reply) -> ClientEvent | None:
        # RFC 5321 §3.2 names 500 and 502 for a server that does not know EHLO; on any other 5xx a HELO costs one
        # round trip and loses nothing.
        if reply.permanent and not self._lmtp and not self._tried_helo:
            self._tried_helo = True
            self._command(hello_line("HELO", self._hello_name), Phase.HELLO)
            return None
        if reply.positive and not self._tried_helo:
            self.capabilities = Capabilities.parse(reply)
        self._phase = Phase.IDLE
        return HelloDone(reply, self.capabilities)

    def _on_starttls(self, reply: Reply) -> ClientEvent | None:
        if not reply.positive:
            self._phase = Phase.IDLE
            return TlsReady(reply)
        if not self._reader.empty:
            self._lose("server sent plaintext after agreeing to TLS")
            return None
        self._phase = Phase.TLS
        return TlsReady(reply)

    def _on_auth(self, reply: Reply) -> ClientEvent | None:
        assert self._login is not None
        if reply.code == 334:
            self._out.append(self._login.respond(reply))
            return None
        if 300 <= reply.code < 400:
            self._lose("reply out of place", reply)
            return None
        self._login = None
        self._phase = Phase.IDLE
        return AuthDone(reply)

    def _on_envelope(self, reply: Reply) -> ClientEvent | None:
        transaction = self._transaction
        assert transaction is not None
        if reply.code == 421:
            self._lose("server is closing", reply)
            return None
        try:
            result = transaction.on_reply(reply)
        except OutOfPlace:
            self._lose("reply out of place", reply)
            return None
        if isinstance(result, bytes):
            if self._unasked():
                return None
            self._out.append(result)
            result = transaction.abandon() if transaction.over else None
        if result is None:
            return None
        if result.ready:
            self._phase = Phase.BODY
        else:
            self._transaction = None
            self._open = True
            self._phase = Phase.IDLE
        return result

    def _on_final(self, reply: Reply) -> ClientEvent | None:
        assert self._transaction is not None
        try:
            done = self._transaction.on_final(reply)
        except OutOfPlace:
            self._lose("reply out of place", reply)
            return None
        if done is not None:
            self._transaction = None
            self._phase = Phase.IDLE
        return done
