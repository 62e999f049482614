"""Messages that are refused, and those that are mended; none of them brings another one in with it."""

import smtplib

import pytest

from barid_testing.mail_system import Account, MailSystem

from .conftest import MAX_SIZE, LogLines
from .wire import Smtp

HEADER = b"From: somebody@elsewhere.test\r\nSubject: shape\r\n\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"bare\nLF",
        b"bare\rCR",
        b"a NUL \0 octet",
        b"end\n.\nMAIL FROM:<>",
        b"end\r\n.\nMAIL FROM:<>",
        b"end\n.\r\nMAIL FROM:<>",
        b"end\r.\rMAIL FROM:<>",
        b"end\r\n.\rMAIL FROM:<>",
    ],
    ids=["LF", "CR", "NUL", "LF-dot-LF", "CRLF-dot-LF", "LF-dot-CRLF", "CR-dot-CR", "CRLF-dot-CR"],
)
def test_from_other_systems_bare_line_ends_and_nul_are_refused(
    besieged: MailSystem, victim: Account, log_lines: LogLines, body: bytes
) -> None:
    with Smtp(besieged.smtp) as client:
        client.begin(victim.address)
        client.send(HEADER + body + b"\r\n.\r\n")
        answer = client.reply()
        assert (answer.code, answer.text[:5]) == (554, "5.6.0")
        assert client.say(b"NOOP").code == 250  # it ended at the true end, and there only
    assert len(log_lines.of("refused")) == 1


def test_our_users_programs_are_forgiven_bare_line_ends(besieged: MailSystem, victim: Account) -> None:
    with smtplib.SMTP(*besieged.submission) as client:
        client.login(victim.login, victim.password)
        client.mail(victim.address)
        client.rcpt(victim.address)
        assert client.docmd("DATA")[0] == 354
        client.send(b"From: victim@example.test\nSubject: forgiven\n\none\ntwo\r\n.\r\n")
        assert client.getreply()[0] == 250
    assert besieged.expect(victim, "forgiven").raw.endswith(b"\r\n\r\none\r\ntwo\r\n")


def test_nul_is_forgiven_nobody(besieged: MailSystem, victim: Account) -> None:
    with smtplib.SMTP(*besieged.submission) as client:
        client.login(victim.login, victim.password)
        client.mail(victim.address)
        client.rcpt(victim.address)
        client.docmd("DATA")
        client.send(b"From: victim@example.test\r\n\r\na\0b\r\n.\r\n")
        assert client.getreply()[0] == 554


def test_too_big_is_refused_before_it_is_sent(besieged: MailSystem, log_lines: LogLines) -> None:
    with Smtp(besieged.smtp) as client:
        client.say(b"EHLO client")
        answer = client.say(b"MAIL FROM:<> SIZE=%d" % (MAX_SIZE + 1))
        assert (answer.code, answer.text[:5]) == (552, "5.3.4")
        assert client.say(b"MAIL FROM:<> SIZE=99999999999999999999").code in (501, 552)
        assert client.say(b"MAIL FROM:<> SIZE=-1").code == 501
        assert client.say(b"MAIL FROM:<> SIZE=%d" % MAX_SIZE).code == 250
    assert log_lines.of("protocol error") or log_lines.of("refused")


def test_too_big_is_refused_while_it_comes(besieged: MailSystem, victim: Account, log_lines: LogLines) -> None:
    line = b"x" * 998 + b"\r\n"
    with Smtp(besieged.smtp) as client:
        client.begin(victim.address)
        client.send(HEADER)
        for _ in range(2):
            client.send(line * (MAX_SIZE // 1000))
        client.send(b".\r\n")
        answer = client.reply()
        assert (answer.code, answer.text[:5]) == (552, "5.3.4")
        assert client.say(b"NOOP").code == 250
    assert [entry["reply"][:9] for entry in log_lines.of("refused")] == ["552 5.3.4"]


def test_a_message_cut_off_leaves_nothing(besieged: MailSystem, victim: Account) -> None:
    for size in (1_000, 3_000_000):
        with Smtp(besieged.smtp) as client:
            client.begin(victim.address)
            client.send(b"Subject: half a message\r\n\r\n" + b"x\r\n" * (size // 3))
    besieged.expect_none(victim, "half a message", within=0.5)
    left = [path for path in (besieged.data / "journal").rglob("spool/*") if path.is_file()]
    assert left == []


def test_ten_thousand_recipients(besieged: MailSystem, victim: Account, log_lines: LogLines) -> None:
    """The first thousand are taken, the others told to come in another transaction; the mail is delivered."""
    besieged.sieve(victim, "keep;")
    with Smtp(besieged.smtp, patience=30) as client:
        client.say(b"EHLO client")
        client.say(b"MAIL FROM:<>")
        codes = []
        for start in range(0, 10_000, 100):
            client.send(b"".join(b"RCPT TO:<victim+%d@example.test>\r\n" % (start + n) for n in range(100)))
            codes += [reply.code for reply in client.replies(100)]
        assert codes == [250] * 1000 + [452] * 9000
        assert client.say(b"DATA").code == 354
        assert client.say(b"Subject: ten thousand\r\n\r\nhello\r\n.").code == 250
    besieged.expect(victim, "ten thousand")
    assert log_lines.of("accepted")[0]["recipients"] == 1000


def test_ten_thousand_recipients_at_one_go(besieged: MailSystem, victim: Account) -> None:
    """All in one write, no reply read before the last is sent."""
    with Smtp(besieged.smtp, patience=30) as client:
        client.say(b"EHLO client")
        client.say(b"MAIL FROM:<>")
        client.send(b"".join(b"RCPT TO:<victim@example.test>\r\n" for n in range(10_000)))
        codes = [client.reply().code for _ in range(10_000)]
        assert codes == [250] * 1000 + [452] * 9000
        assert client.say(b"RSET").code == 250


def test_a_dictionary_of_unknown_recipients_is_cut_short(besieged: MailSystem, log_lines: LogLines) -> None:
    with Smtp(besieged.smtp, patience=30) as client:
        client.say(b"EHLO client")
        client.say(b"MAIL FROM:<>")
        client.send_until_cut_off(b"".join(b"RCPT TO:<guess%d@example.test>\r\n" % n for n in range(10_000)))
        answer = client.read_to_end()
    assert answer.count(b"550 5.1.1") == 100
    assert answer.rstrip().splitlines()[-1].startswith(b"421 4.7.0")
    assert len(log_lines.of("refused")) <= 200


def test_a_thousand_messages_in_one_write(besieged: MailSystem, victim: Account) -> None:
    """Pipelined to the end of what the kernel takes, replies read only afterwards."""
    one = b"MAIL FROM:<>\r\nRCPT TO:<victim@example.test>\r\nDATA\r\n"
    with Smtp(besieged.smtp, patience=30) as client:
        client.say(b"EHLO client")
        taken = 0
        for number in range(200):
            client.send(one)
            assert [reply.code for reply in client.replies(3)] == [250, 250, 354]
            client.send(b"Subject: row %d\r\n\r\nhello\r\n.\r\n" % number)
            taken += client.reply().code == 250
    assert taken == 200
    besieged.expect(victim, "row 199")
