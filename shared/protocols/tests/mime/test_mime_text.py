"""Text out of octets: encoded words, transfer encodings, charsets, markup, dates."""

import time
from email.header import decode_header, make_header
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.mime.charsets import decode_charset
from barid_protocols.mime.dates import SentDate, parse_date
from barid_protocols.mime.decode import decode_transfer, html_to_text, text_of, text_parts
from barid_protocols.mime.sections import from_compact
from barid_protocols.mime.summary import summarize
from barid_protocols.mime.words import decode_words, encode_words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b" plain\r", "plain"),
        (b"=?utf-8?q?J=C3=BCrgen_M?=", "Jürgen M"),
        (b"=?UTF-8?B?SsO8cmdlbg==?=", "Jürgen"),
        (b"=?UTF-8?B?SsO8cmdlbg?=", "Jürgen"),
        (b"=?iso-8859-1?Q?a?= =?iso-8859-1?Q?b?=", "ab"),
        (b"=?iso-8859-1?Q?a?=\r\n =?utf-8?Q?b?= c", "ab c"),
        (b"a =?iso-8859-1?Q?b?= c", "a b c"),
        (b"=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü"),
        (b"=?utf-8*de?q?x?=", "x"),
        (b"=?nonsense?q?x=E4?=", "x\ufffd"),
        ("rohes ü".encode(), "rohes ü"),
        (b"raw \xfc", "raw ü"),
        (b"=?utf-8?q?unclosed", "=?utf-8?q?unclosed"),
        (b"=?utf-8?x?y?=", "=?utf-8?x?y?="),
        (b"=?idna?q?xn--a?=", "xn--a"),
        (b"=?utf-8?q?two words?=", "two words"),
    ],
)
def test_encoded_words(value: bytes, text: str) -> None:
    assert decode_words(value) == text


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=80).map(str.strip))
@settings(max_examples=80, deadline=None)
def test_words_round_trip(text: str) -> None:
    encoded = encode_words(text)
    assert encoded.isascii()
    assert all(len(line) <= 76 for line in encoded.split(b"\r\n")) or text.isascii()
    assert decode_words(encoded) == text
    if not text.isascii():
        assert str(make_header(decode_header(encoded.decode()))) == text


def test_nothing_can_be_injected_by_words() -> None:
    assert encode_words("a\r\nBcc: b\0") == b"a  Bcc: b "


@pytest.mark.parametrize("piece", [b"=?", b"=?utf-8?q?", b"=?a?q?b?= ", b"=?=?", b"?=", b"=?utf-8?b?A?="])
def test_hostile_words_take_linear_time(piece: bytes) -> None:
    started = time.process_time()
    decode_words(piece * (60_000 // len(piece)))
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("data", "encoding", "wanted"),
    [
        (b"SGVsbG8=\r\n", "base64", b"Hello"),
        (b"SGVs bG8\r\n", "base64", b"Hello"),
        (b"SGVsbG8=!!SGVsbG8=", "base64", b"HelloHello"[:5]),
        (b"S", "base64", b""),
        (b"J=C3=BC=\r\nr=zz", "quoted-printable", "Jür=zz".encode()),
        (b"as it is=", "7bit", b"as it is="),
        (b"as it is", "x-unknown", b"as it is"),
    ],
)
def test_transfer_encodings(data: bytes, encoding: str, wanted: bytes) -> None:
    assert decode_transfer(data, encoding).startswith(wanted)


@given(
    st.binary(max_size=200),
    st.sampled_from(["base64", "quoted-printable", "8bit"]),
    st.sampled_from([b"utf-7", b"x", b"utf-16"]),
)
@settings(max_examples=60, deadline=None)
def test_noise_decodes_to_something(data: bytes, encoding: str, charset: bytes) -> None:
    assert isinstance(decode_charset(decode_transfer(data, encoding), charset), str)


def test_charsets() -> None:
    assert decode_charset(b"\x80", b"iso-8859-1") == "€"
    assert decode_charset("ü".encode(), b"us-ascii") == "ü"
    assert decode_charset(b"\xfc", None) == "ü"
    assert decode_charset("мир".encode("koi8-r"), b" KOI8-R ") == "мир"
    assert decode_charset(b"abc", b"\xff\0") == "abc"


def test_markup() -> None:
    assert html_to_text(
        "<head><title>no</title></head><p>a<b>b</b> &amp; c</p><script>x<y</script><br>d <e"
    ).split() == [
        "ab",
        "&",
        "c",
        "d",
        "<e",
    ]
    started = time.process_time()
    for piece in ("<", "<script>", "<!--", "</", "&#", "<a "):
        html_to_text(piece * 20_000)
    assert time.process_time() - started < 1


def test_the_text_of_a_message() -> None:
    message = (
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nfirst\r\n"
        b"--x\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"<p>zw=F6lf\r\n--x\r\nContent-Type: image/png\r\n\r\nPIXELS\r\n"
        b"--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: s\r\n\r\ninner\r\n--x--\r\n"
    )
    root = from_compact(summarize(message).parts)
    texts = [text_of(message[node.body_start : node.end], node) for node in text_parts(root)]
    assert [text.strip() for text in texts] == ["first", "zwölf", "inner"]


@pytest.mark.parametrize(
    "value",
    [
        b"Mon, 23 Nov 2026 15:00:00 +0000",
        b" 1 Jan 1970 00:00:00 +0000",
        b"Thu, 29 Feb 2024 23:59:60 -0330",
        b"Fri, 21 Nov 97 09:55:06 -0600",
        b"21 Nov 1997 09:55 EST",
        b"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)",
    ],
)
def test_dates(value: bytes) -> None:
    sent = parse_date(value)
    reference = parsedate_to_datetime(value.decode().replace(":60 ", ":59 "))
    assert sent is not None
    assert sent.seconds == reference.timestamp()
    assert sent.offset * 60 == reference.utcoffset().total_seconds()


@pytest.mark.parametrize(
    "value",
    [None, b"", b"yesterday", b"32 Nov 2026 15:00:00 +0000", b"1 Foo 2026 15:00 +0000", b"1 Nov 2026 25:00 +0000",
     b"1 Nov 0000 00:00 +0000", b"1 Nov 2026 00:00 +9999"],
)  # fmt: skip
def test_what_is_no_date(value: bytes | None) -> None:
    assert parse_date(value) is None


def test_a_summary_knows_when_it_was_sent() -> None:
    assert summarize(b"Date: Thu, 1 Jan 1970 01:00:00 +0100\r\n\r\n").sent == SentDate(0, 60)
