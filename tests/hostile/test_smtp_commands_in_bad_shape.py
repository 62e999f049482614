"""Commands that no client should send. Each gets the reply that says what was wrong, and a line in the log."""

import random

from barid_testing.mail_system import MailSystem

from .conftest import LogLines
from .wire import Smtp, Wire


def test_unknown_verbs_are_answered_and_logged(besieged: MailSystem, log_lines: LogLines) -> None:
    with Smtp(besieged.smtp) as client:
        assert client.greeting.code == 220
        assert client.say(b"FROBNICATE now") == (500, "5.5.2 Command not recognized")
        assert client.say(b"\x80\xff\xfe") == (500, "5.5.2 Command not recognized")
        assert client.say(b"") == (500, "5.5.2 Command not recognized")
        assert client.say(b"NOOP").code == 250
    errors = log_lines.of("protocol error")
    assert [line["reply"] for line in errors] == ["500 5.5.2 Command not recognized"] * 3
    assert errors[0]["line"] == "b'FROBNICATE'"


def test_one_error_too_many_ends_the_connection(besieged: MailSystem, log_lines: LogLines) -> None:
    with Smtp(besieged.smtp) as client:
        assert [client.say(b"FROB").code for _ in range(10)] == [500] * 10
        assert client.reply() == (421, "4.7.0 Too many errors, closing")
        assert client.is_closed()
    assert [line["reason"] for line in log_lines.of("cut off")] == ["errors"]


def test_commands_out_of_order(besieged: MailSystem) -> None:
    with Smtp(besieged.smtp) as client:
        assert client.say(b"MAIL FROM:<>").code == 503
        assert client.say(b"EHLO x").code == 250
        assert client.say(b"RCPT TO:<victim@example.test>").code == 503
        assert client.say(b"DATA").code == 503
        assert client.say(b"MAIL FROM:<>").code == 250
        assert client.say(b"MAIL FROM:<>").code == 503
        assert client.say(b"DATA").code in (503, 554)


def test_a_line_of_a_megabyte(besieged: MailSystem, log_lines: LogLines) -> None:
    with Smtp(besieged.smtp) as client:
        client.send_until_cut_off(b"NOOP " + b"x" * 1_000_000 + b"\r\n")
        answer = client.read_to_end()
    assert answer.startswith((b"500 5.5.2 Line too long", b"421 ")), answer
    assert log_lines.of("cut off")


def test_a_line_a_little_too_long_costs_only_itself(besieged: MailSystem) -> None:
    with Smtp(besieged.smtp) as client:
        assert client.say(b"NOOP " + b"x" * 600) == (500, "5.5.2 Line too long")
        assert client.say(b"NOOP").code == 250


def test_a_line_that_never_ends(besieged: MailSystem) -> None:
    with Smtp(besieged.smtp) as client:
        for _ in range(64):
            client.send_until_cut_off(b"A" * 65_536)
        assert client.read_to_end()[:3] in (b"500", b"421", b"")


def test_commands_must_end_in_cr_lf(besieged: MailSystem) -> None:
    for line in (b"NOOP\n", b"NOOP\rNOOP\r\n", b"NO\nOP\r\n"):
        with Smtp(besieged.smtp) as client:
            client.send(line)
            assert client.reply().code == 500


def test_nul_in_commands(besieged: MailSystem) -> None:
    with Smtp(besieged.smtp) as client:
        assert client.say(b"NO\0OP").code == 500
        assert client.say(b"EHLO cl\0ient").code == 501
        assert client.say(b"EHLO client").code == 250
        assert client.say(b"MAIL FROM:<a\0@elsewhere.test>").code == 501
        assert client.say(b"MAIL FROM:<>").code == 250
        assert client.say(b"RCPT TO:<vic\0tim@example.test>").code == 501


def test_addresses_that_are_none(besieged: MailSystem) -> None:
    for path in (b"<", b"<>", b"<@>", b"<a@>", b"<a@b@c>", b"<" + b"a" * 400 + b"@example.test>", b"<a@[999.1.1.1]>"):
        with Smtp(besieged.smtp) as client:
            client.say(b"EHLO client")
            assert client.say(b"MAIL FROM:<>").code == 250
            assert 500 <= client.say(b"RCPT TO:" + path).code < 560, path


def test_http_on_the_plain_port(besieged: MailSystem, log_lines: LogLines) -> None:
    request = (
        b"POST / HTTP/1.1\r\nHost: mail\r\nContent-Length: 90\r\n\r\n"
        b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<victim@example.test>\r\nDATA\r\nSubject: smuggled\r\n\r\n.\r\n"
    )
    for endpoint in (besieged.smtp, besieged.submission, besieged.lmtp):
        with Smtp(endpoint) as client:
            client.send(request)
            assert client.reply().code == 421
            assert client.is_closed()
    assert [line["reason"] for line in log_lines.of("cut off")] == ["http"] * 3


def test_tls_on_the_plain_port(besieged: MailSystem, log_lines: LogLines) -> None:
    hello = bytes.fromhex("16030100a5010000a10303") + bytes(range(200)) * 2
    for endpoint in (besieged.smtp, besieged.submission, besieged.lmtp):
        with Smtp(endpoint) as client:
            client.send(hello + b"\r\n")
            answer = client.reply()
            assert answer.code in (421, 500)
    assert [line["reason"] for line in log_lines.of("cut off")] == ["tls on the plain port"] * 3


def test_plain_text_on_the_tls_port(besieged: MailSystem) -> None:
    with Wire(besieged.submissions) as client:
        client.send(b"EHLO client\r\n")
        assert b"220" not in client.read_to_end()


def test_what_is_sent_before_tls_is_not_taken_as_sent_within(besieged: MailSystem) -> None:
    """RFC 3207 §6: a line behind STARTTLS in the same packet must never be executed after the handshake."""
    with Smtp(besieged.submission) as client:
        client.say(b"EHLO client")
        client.send(b"STARTTLS\r\nNOOP injected\r\n")
        assert client.reply().code in (220, 421, 500, 501, 503, 554)
        client.send_until_cut_off(b"NOOP\r\n")
        assert b"250" not in client.read_to_end()


def test_log_ins_that_are_no_base64_or_far_too_long(besieged: MailSystem, log_lines: LogLines) -> None:
    with Smtp(besieged.submission) as client:
        client.say(b"EHLO client")
        assert client.say(b"AUTH PLAIN !!!!").code == 501
        assert client.say(b"AUTH PLAIN").code == 334
        assert client.say(b"*").code == 501
        assert client.say(b"AUTH CRAM-MD5").code == 504
        assert client.say(b"AUTH PLAIN").code == 334
        assert client.say(b"A" * 20_000).code == 500
    assert len(log_lines.of("protocol error")) >= 4


def test_noise(besieged: MailSystem) -> None:
    """Random octets, with verbs among them so that some gets further than the first word."""
    source = random.Random(5321)
    words = [
        b"EHLO x",
        b"MAIL FROM:<>",
        b"RCPT TO:<victim@example.test>",
        b"RSET",
        b"\r\n",
        b"\n",
        b".",
        b"\0",
        b"BDAT 9",
    ]
    for _ in range(40):
        noise = b"".join(
            source.choice(words) if source.random() < 0.5 else source.randbytes(source.randrange(90)) + b"\r\n"
            for _ in range(30)
        )
        with Smtp(besieged.smtp) as client:
            client.send_until_cut_off(noise + b"\r\nQUIT\r\n")
            client.socket.shutdown(1)
            for line in client.read_to_end().splitlines():
                assert line[:3].isdigit(), line
