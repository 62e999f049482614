"""A Message's text, HTML and content, whatever the bytes are."""

import time
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_testing.message import Message


def mail(raw: bytes) -> Message:
    return Message("01" + "0" * 24, "mailbox", "bob@example.test", "", "", len(raw), "INBOX", 1, raw)


def test_a_usual_mail_with_two_bodies_and_an_attachment() -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Ärger <a@b.test>", "Bob <bob@example.test>", "Grüße"
    message.set_content("Guten Tag\n", charset="iso-8859-1")
    message.add_alternative("<p>Guten <b>Tag</b></p>", subtype="html")
    message.add_attachment("not the text\n", filename="a.txt")
    found = mail(message.as_bytes())
    assert (found.text, found.html) == ("Guten Tag\n", "<p>Guten <b>Tag</b></p>\n")
    assert (found.content["From"], found.content["Subject"]) == ("Ärger <a@b.test>", "Grüße")
    assert found.content["To"].addresses[0].addr_spec == "bob@example.test"
    assert [part.get_filename() for part in found.content.iter_attachments()] == ["a.txt"]


def test_html_alone_has_words_and_markup() -> None:
    found = mail(
        b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>Click <a href='https://x.test/'>h\xc3\xa4re</a></p>\r\n"
    )
    assert found.text.split() == ["Click", "häre"]
    assert "href='https://x.test/'" in found.html


def test_no_text_at_all() -> None:
    found = mail(b"Content-Type: image/png\r\n\r\n...")
    assert (found.text, found.html) == ("", "")
    assert mail(b"").text == ""


@pytest.mark.parametrize(
    "field",
    [
        b"To: " + b"(" * 50_000,
        b"To: " + b"a@b.test, " * 20_000,
        b"From: " + b'"' * 3_001,
        b"Subject: " + b"=?utf-8?q?=" * 5_000,
        b"Content-Type: text/plain; charset=no-such-charset",
        b"Content-Type: " + b"x" * 50_000,
        b"Content-Disposition: " + b"attachment; " * 5_000,
        b"Content-Transfer-Encoding: \xff\xfe",
        b"Date: 99 Foo 20000000000000000000000 99:99:99",
        b"Message-ID: <[\xff>",
    ],
    ids=lambda field: field[:20].decode("latin-1"),
)
def test_hostile_fields_cost_little_and_raise_nothing(field: bytes) -> None:
    began = time.process_time()
    found = mail(field + b"\r\nX: 1\r\n\r\nhello\r\n")
    assert found.text in ("hello\n", "")
    for name, value in found.content.items():
        assert isinstance(name, str)
        str(value)
    found.content.get_body(("plain", "html"))
    assert list(found.content.iter_attachments()) == []
    assert time.process_time() - began < 2


def test_parts_within_parts_without_end() -> None:
    depth = 5_000
    raw = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    assert mail(raw + b"\r\nhello\r\n").text in ("", "hello\n")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"To: ",
                b"Content-Type: multipart/mixed; boundary=x\r\n",
                b"\r\n",
                b"--x",
                b"<",
                b"=?utf-8?b?",
                b"@",
                b'"',
                b"(",
                b"\xff",
                b"a",
                b" ",
                b";",
                b"Content-Disposition: attachment",
            ]
        ),
        max_size=40,
    )
)
def test_no_bytes_make_it_raise(pieces: list[bytes]) -> None:
    found = mail(b"".join(pieces))
    assert isinstance(found.text, str)
    assert isinstance(found.html, str)
    for _, value in found.content.items():
        assert isinstance(value, str)
