"""RFC 5230: what the script proposes, whether a reply may be sent, and the reply's text."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from barid_protocols.sieve import (
    Discard,
    HeaderView,
    Keep,
    Refusal,
    SieveRuntimeError,
    Vacation,
    build_reply,
    refuse_reply,
)

NEEDS = 'require ["vacation", "variables"];\n'
NOON = datetime(2026, 11, 3, 12, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ('vacation "Away.";', Vacation("Away.")),
        ('vacation :days 3 :subject "Out" "Away.";', Vacation("Away.", "Out", days=3)),
        ('vacation :days 0 "Away.";', Vacation("Away.", days=1)),
        ('vacation :days 4000 "Away.";', Vacation("Away.", days=90)),
        (
            'vacation :from "Bob <bob@example.org>" :addresses ["b@x.org", "c@x.org"] :handle "h" :mime "Away.";',
            Vacation("Away.", None, "Bob <bob@example.org>", ("b@x.org", "c@x.org"), True, handle="h"),
        ),
        (
            'if header :matches "subject" "*" { vacation :subject "Re: ${1}" "About ${1}"; }',
            Vacation("About [ops] Quarterly report", "Re: [ops] Quarterly report"),
        ),
    ],
)
def test_proposed(actions, script, expected):
    assert actions(NEEDS + script) == [expected, Keep()]


def test_an_answer_does_not_keep_what_is_discarded(actions):
    assert actions(NEEDS + 'vacation "x"; discard;') == [Vacation("x"), Discard()]


def test_only_one_answer_a_message(actions):
    with pytest.raises(SieveRuntimeError, match="line 3: vacation was already executed"):
        actions(NEEDS + 'vacation "x";\nvacation "y";')


def test_the_key_tells_responses_apart():
    assert Vacation("a").key == Vacation("a", days=3, addresses=("b@c",)).key
    assert len({Vacation("a").key, Vacation("b").key, Vacation("a", "s").key, Vacation("a", mime=True).key}) == 4
    assert Vacation("a", handle="h").key == Vacation("b", "other", handle="h").key


def decide(headers: str, sender: str = "alice@example.com", own: tuple[str, ...] = ("bob@example.org",)):
    return refuse_reply(HeaderView(headers.encode()), sender, own)


def test_a_letter_to_the_owner_is_answered():
    assert decide("To: Bob <BOB@example.org>\r\nAuto-Submitted: no\r\nPrecedence: first-class\r\n") is None
    assert decide("Resent-To: bob@example.org\r\n") is None
    assert decide("Cc: team: x@y, b2@example.org;\r\n", own=("bob@example.org", "B2@example.org")) is None


@pytest.mark.parametrize(
    ("header", "sender", "refusal"),
    [
        ("", "", Refusal.NULL_SENDER),
        ("", "<>", Refusal.NULL_SENDER),
        ("", "MAILER-DAEMON@example.com", Refusal.ROBOT_SENDER),
        ("", "owner-list@example.com", Refusal.ROBOT_SENDER),
        ("", "list-request@example.com", Refusal.ROBOT_SENDER),
        ("", "bounces+bob=example.org@example.com", Refusal.ROBOT_SENDER),
        ("", "Bob@Example.org", Refusal.OWN_MESSAGE),
        ("List-Id: <ops.example.com>", "alice@example.com", Refusal.LIST),
        ("List-Unsubscribe: <mailto:x@y>", "alice@example.com", Refusal.LIST),
        ("Precedence: Bulk", "alice@example.com", Refusal.BULK),
        ("Auto-Submitted: auto-generated", "alice@example.com", Refusal.AUTOMATIC),
        ("Auto-Submitted: auto-replied (vacation)", "alice@example.com", Refusal.AUTOMATIC),
        ("X-Auto-Response-Suppress: DR, OOF", "alice@example.com", Refusal.AUTOMATIC),
    ],
)
def test_refused(header, sender, refusal):
    assert decide(f"To: bob@example.org\r\n{header}\r\n", sender) is refusal


def test_who_got_it_blindly_does_not_answer():
    assert decide("To: team@example.org\r\n") is Refusal.NOT_ADDRESSED
    assert decide("") is Refusal.NOT_ADDRESSED


def reply(vacation: Vacation, headers: str = "Subject: Lunch?\r\nMessage-ID: <2@x>\r\n", **given: object) -> str:
    arguments = {
        "recipient": "alice@example.com",
        "default_sender": "bob@example.org",
        "date": NOON,
        "message_id": "<r1@example.org>",
        **given,
    }
    return build_reply(vacation, HeaderView(headers.encode()), **arguments).decode()  # type: ignore[arg-type]


def test_the_reply():
    assert reply(Vacation("Away until Monday.\nBob")) == (
        "From: bob@example.org\r\n"
        "To: alice@example.com\r\n"
        "Subject: Auto: Lunch?\r\n"
        "Date: Tue, 03 Nov 2026 12:05:09 +0000\r\n"
        "Message-ID: <r1@example.org>\r\n"
        "In-Reply-To: <2@x>\r\n"
        "References: <2@x>\r\n"
        "Auto-Submitted: auto-replied (vacation)\r\n"
        "X-Auto-Response-Suppress: All\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "Away until Monday.\r\n"
        "Bob\r\n"
    )


def test_subject_and_sender_of_the_script():
    text = reply(Vacation("x", "Grüße", "Böb <b@example.org>"))
    assert "Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n" in text
    assert "From: =?utf-8?b?QsO2Yg==?= <b@example.org>\r\n" in text


def test_the_thread_is_continued_and_stays_short():
    long = "".join(f" <{n}@y>\r\n" for n in range(100))
    text = reply(Vacation("x"), f"Message-ID: <m@y>\r\nReferences:{long}")
    references = text.split("References: ")[1].split("\r\nAuto")[0].split()
    assert references[:2] == ["<0@y>", "<82@y>"]
    assert references[-2:] == ["<99@y>", "<m@y>"]
    assert "References: <p@y>\r\n <m@y>\r\n" in reply(Vacation("x"), "Message-ID: <m@y>\r\nIn-Reply-To: <p@y>\r\n")
    assert "References" not in reply(Vacation("x"), "Subject: no id\r\n")


def test_text_beyond_ascii_is_encoded():
    text = reply(Vacation("Schöne Grüße\n" * 40))
    assert "Content-Transfer-Encoding: base64\r\n" in text
    assert all(len(line) <= 76 for line in text.split("\r\n\r\n", 1)[1].split("\r\n"))


def test_a_mime_reason_brings_its_own_content_fields_and_no_others():
    entity = "Content-Type: text/html;\n charset=utf-8\nBcc: victim@example.net\nSubject: forged\n\n<p>Away</p>\n"
    text = reply(Vacation(entity, mime=True))
    head, body = text.split("\r\n\r\n", 1)
    assert head.endswith("MIME-Version: 1.0\r\nContent-Type: text/html;\r\n charset=utf-8")
    assert "Bcc" not in text
    assert body == "<p>Away</p>\r\n"


@pytest.mark.parametrize("bad", ["a\r\nBcc: v@x", "a\nBcc: v@x", "=?utf-8?q?a=0D=0ABcc:_v=40x?="])
def test_nothing_forges_a_header(bad):
    for text in (
        reply(Vacation("x", subject=bad)),
        reply(Vacation("x"), f"Subject: {bad}\r\n".replace("\r\nBcc", "\r\n Bcc").replace("a\nBcc", "a\n Bcc")),
        reply(Vacation("x"), recipient=f"{bad}@example.com"),
        reply(Vacation("x", sender=f"{bad} <b@example.org>")),
    ):
        assert "\nBcc" not in text.split("\r\n\r\n")[0]


def test_the_date_keeps_its_zone():
    date = NOON.astimezone(timezone(timedelta(hours=-3, minutes=-30)))
    assert "Date: Tue, 03 Nov 2026 08:35:09 -0330\r\n" in reply(Vacation("x"), date=date)
