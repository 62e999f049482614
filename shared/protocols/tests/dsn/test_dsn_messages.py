"""Notifications, read back by a parser that is not ours (the standard library's, with its simple policy)."""

import email
import email.message

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.dsn import Action, Recipient, Report, build_dsn

HEADER = b"From: alice@example.org\r\nTo: bob@example.net\r\nSubject: Tuesday\r\n\r\n"
BODY = b"See you there.\r\n"
FAILED = Recipient(
    "bob@example.net",
    Action.FAILED,
    "5.1.1",
    original="rfc822;robert@example.net",
    remote_mta="mx.example.net",
    diagnostic="550 5.1.1 no such user here",
    last_attempt="Mon, 23 Nov 2026 15:00:00 +0000",
)


def built(*recipients: Recipient, header: bytes = HEADER, original: bytes | None = None, to: str = "alice@example.org"):
    report = Report(
        "mx.barid.example",
        recipients,
        arrival_date="Mon, 23 Nov 2026 14:00:00 +0000",
        envelope_id="QQ314159",
        received_from="client.example.org",
    )
    return build_dsn(
        report,
        sender="MAILER-DAEMON@barid.example",
        recipient=to,
        date="Mon, 23 Nov 2026 15:00:01 +0000",
        message_id="<1.dsn@barid.example>",
        boundary="=_dsn-1",
        original_header=header,
        original=original,
    )


def read(dsn: bytes) -> tuple[email.message.Message, list[email.message.Message]]:
    message = email.message_from_bytes(dsn)
    parts = message.get_payload()
    assert isinstance(parts, list)
    return message, parts


def test_a_failure_with_the_header_returned() -> None:
    dsn = built(FAILED)
    message, (text, status, header) = read(dsn)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["To"] == "<alice@example.org>"
    assert message["Subject"] == "Undelivered mail returned to sender"
    explanation = text.get_payload()
    assert "<bob@example.net>" in explanation
    assert "mx.example.net said: 550 5.1.1 no such user here" in explanation
    assert status.get_content_type() == "message/delivery-status"
    per_message, per_recipient = status.get_payload()
    assert dict(per_message) == {
        "Original-Envelope-Id": "QQ314159",
        "Reporting-MTA": "dns; mx.barid.example",
        "Received-From-MTA": "dns; client.example.org",
        "Arrival-Date": "Mon, 23 Nov 2026 14:00:00 +0000",
    }
    assert dict(per_recipient) == {
        "Original-Recipient": "rfc822; robert@example.net",
        "Final-Recipient": "rfc822; bob@example.net",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.example.net",
        "Diagnostic-Code": "smtp; 550 5.1.1 no such user here",
        "Last-Attempt-Date": "Mon, 23 Nov 2026 15:00:00 +0000",
    }
    assert header.get_content_type() == "text/rfc822-headers"
    assert "Subject: Tuesday" in header.get_payload()


def test_the_whole_message_returned() -> None:
    _, (_, _, original) = read(built(FAILED, original=HEADER + BODY))
    assert original.get_content_type() == "message/rfc822"
    inner = original.get_payload(0)
    assert inner["Subject"] == "Tuesday"
    assert inner.get_payload().strip() == "See you there."


def test_a_delay_says_until_when() -> None:
    delayed = Recipient(
        "bob@example.net",
        Action.DELAYED,
        "4.4.1",
        reason="no answer",
        will_retry_until="Sat, 28 Nov 2026 15:00:00 +0000",
    )
    message, (text, status, _) = read(built(delayed))
    assert message["Subject"] == "Your mail is delayed"
    assert "It will be tried until Sat, 28 Nov 2026 15:00:00 +0000." in text.get_payload()
    assert status.get_payload()[1]["Will-Retry-Until"] == "Sat, 28 Nov 2026 15:00:00 +0000"
    assert status.get_payload()[1]["Diagnostic-Code"] is None


def test_the_worst_fate_gives_the_subject() -> None:
    relayed = Recipient("carol@example.com", Action.RELAYED, "2.0.0")
    message, (text, status, _) = read(built(relayed, FAILED))
    assert message["Subject"] == "Undelivered mail returned to sender"
    assert [fields["Action"] for fields in status.get_payload()[1:]] == ["relayed", "failed"]
    assert "relayed" in text.get_payload()


def test_an_address_beyond_ascii() -> None:
    dsn = built(Recipient("jürgen@bücher.example", Action.FAILED, "5.1.1"))
    assert dsn.isascii()
    assert b"Final-Recipient: utf-8; j\\x{FC}rgen@b\\x{FC}cher.example\r\n" in dsn


def test_an_original_beyond_ascii() -> None:
    dsn = built(FAILED, header="Subject: Grüße\r\n\r\n".encode())
    assert b"Content-Type: message/global-headers\r\n" in dsn
    assert dsn.count(b"Content-Transfer-Encoding: 8bit\r\n") == 2


def test_what_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="recipient"):
        built()
    with pytest.raises(ValueError, match="boundary"):
        built(FAILED, header=b"Subject: --=_dsn-1\r\n\r\n")


HOSTILE = st.text(st.characters(codec="utf-8") | st.sampled_from("\r\n\0;<> "), min_size=1, max_size=60)


@given(HOSTILE, HOSTILE, HOSTILE)
@settings(max_examples=80, deadline=None)
def test_nothing_from_outside_can_break_out(address: str, diagnostic: str, host: str) -> None:
    hostile = Recipient(address, Action.FAILED, "5.0.0", original=address, remote_mta=host, diagnostic=diagnostic)
    dsn = built(hostile)
    assert dsn.isascii()
    assert b"\0" not in dsn
    assert dsn.count(b"\n") == dsn.count(b"\r\n") == dsn.count(b"\r")
    assert max(map(len, dsn.split(b"\r\n"))) <= 998
    message, parts = read(dsn)
    assert len(parts) == 3
    assert message["Auto-Submitted"] == "auto-replied"
    assert len(parts[1].get_payload()) == 2
    assert parts[1].get_payload()[1]["Action"] == "failed"


@given(HOSTILE)
@settings(max_examples=40, deadline=None)
def test_a_hostile_reverse_path_stays_in_its_field(to: str) -> None:
    header = built(FAILED, to=to).partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert len(header) == 10
    assert header[1].startswith(b"To: <")
    assert header[1].endswith(b">")
