"""Dialogues a person could type, from files: ``C:`` is typed, ``S:`` is answered, ``H:`` is the host's part."""

from pathlib import Path

import pytest

from barid_protocols.pop3 import (
    Login,
    Maildrop,
    MessageStarted,
    Refused,
    ResponseCode,
    Retrieve,
    ServerConnection,
    ServerProfile,
    StartTls,
    Top,
    Update,
)

MESSAGES = (
    b"Subject: one\r\n\r\n.dot\r\n.\r\nend\r\n",
    b"Subject: two\r\n\r\nfirst\r\nsecond\r\nthird\r\n",
    b"Subject: three\r\n\r\nno end of line",
)
DIALOGUES = sorted(Path(__file__).parent.glob("dialogues/*.txt"))


class Host:
    """A maildrop of three messages; bob's password is "sesame street"."""

    def __init__(self, profile: ServerProfile, chunk: int = 7) -> None:
        self.connection = ServerConnection(profile)
        self.chunk = chunk
        self.deleted: tuple[int, ...] | None = None
        self.update_fails = False

    def feed(self, data: bytes) -> bytes:
        connection = self.connection
        connection.receive_data(data)
        out = b""
        while (event := connection.next_event()) is not None:
            match event:
                case Login(credentials=given):
                    if (given.authcid, given.password) == ("bob", "sesame street"):
                        sizes = [len(message) for message in MESSAGES]
                        out += connection.send(Maildrop(sizes, ["uid-1", "uid-2", "uid-3"]))
                    else:
                        out += connection.send(Refused("wrong name or password", ResponseCode.AUTH))
                case StartTls():
                    out += connection.send()
                case Update(deleted=deleted):
                    self.deleted = deleted
                    refusal = Refused("some deleted messages not removed", ResponseCode.SYS_TEMP)
                    out += connection.send(refusal if self.update_fails else None)
                case Retrieve(number=number) | Top(number=number):
                    message = MESSAGES[number - 1]
                    out += connection.send(MessageStarted(len(message)))
                    for start in range(0, len(message), self.chunk):
                        if connection.message_complete:
                            break
                        out += connection.send_chunk(message[start : start + self.chunk])
                    out += connection.send_end()
        return out + connection.data_to_send()


@pytest.mark.parametrize("bytewise", [False, True], ids=["lines", "bytes"])
@pytest.mark.parametrize("path", DIALOGUES, ids=lambda path: path.stem)
def test_dialogue(path: Path, bytewise: bool) -> None:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    host = Host(ServerProfile(plaintext_allowed="H: without plaintext" not in lines))
    host.update_fails = "H: update fails" in lines
    out = host.connection.greeting()
    for line in lines:
        kind, text = line[:2], line[3:]
        if kind == "S:":
            got, _, out = out.partition(b"\r\n")
            assert got.decode() == text
        elif kind == "C:":
            assert out == b"", f"unexpected before {line!r}"
            data = text.encode() + b"\r\n"
            out = b"".join(host.feed(bytes([octet])) for octet in data) if bytewise else host.feed(data)
        elif text == "handshake":
            host.connection.tls_established()
        elif text == "closed":
            assert host.connection.closed
            assert host.connection.close_reason
        elif text.startswith("deletes"):
            assert host.deleted == tuple(map(int, text.split()[1:]))
    assert out == b""


def test_a_whole_session_in_one_read() -> None:
    host = Host(ServerProfile(tls_active=True))
    out = host.feed(b"USER bob\r\nPASS sesame street\r\nDELE 1\r\nTOP 2 0\r\nQUIT\r\nDELE 2\r\n")
    assert out.splitlines() == [
        b"+OK now the password",
        b"+OK 3 messages",
        b"+OK message 1 will be deleted",
        b"+OK 38 octets",
        b"Subject: two",
        b"",
        b".",
        b"+OK goodbye",
    ]
    assert host.deleted == (1,)
    assert host.connection.closed


def test_a_lost_connection_deletes_nothing() -> None:
    host = Host(ServerProfile(tls_active=True))
    host.feed(b"USER bob\r\nPASS sesame street\r\nDELE 1\r\n")
    host.connection.receive_eof()
    assert host.feed(b"") == b""
    assert host.connection.closed
    assert host.deleted is None


def test_what_comes_with_stls_is_not_read_as_commands() -> None:
    host = Host(ServerProfile())
    assert host.feed(b"STLS\r\nUSER mallory\r\n") == b"+OK begin TLS negotiation\r\n"
    assert host.feed(b"PASS x\r\n") == b""
    host.connection.tls_established()
    assert host.feed(b"") == b""
    assert host.feed(b"PASS x\r\n") == b"-ERR USER comes first\r\n"
