"""Mail with 8-bit content for hosts that don't offer 8BITMIME: encoded where that changes nothing for its reader."""

from email import message_from_bytes, policy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barid_relay.policy.seven_bit import to_seven_bit

from .foreign import Foreign
from .office import BODY, Office

TEXT = "Grüße aus Köln,\r\n.\r\nlang: " + "ü" * 300 + " \r\nEnde = Schluß"
TEXT_PART = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + TEXT.encode()
HEAD = b"From: ann@here.test\r\nSubject: x\r\nMIME-Version: 1.0\r\n"


PICTURE = b"Content-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n" + bytes(range(256))
MESSAGE = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + HEAD + TEXT_PART
HTML = b"content-transfer-encoding:\r\n 8bit\r\nContent-Type: text/html;\r\n charset=utf-8\r\n\r\n<p>\xc3\xbc"
KINDS = [b"text/plain", b"image/x", b"multipart/mixed; boundary=b", b"message/rfc822", b"x"]


def multipart(*parts: bytes, subtype: bytes = b"mixed", head: bytes = HEAD, encoding: bytes = b"8bit") -> bytes:
    return (
        head
        + b"Content-Type: multipart/%s; boundary=b%d\r\nContent-Transfer-Encoding: %s\r\n\r\n"
        % (subtype, len(parts), encoding)
        + b"".join(b"--b%d\r\n%s\r\n" % (len(parts), part) for part in parts)
        + b"--b%d--\r\n" % len(parts)
    )


def leaves(message: bytes) -> list[tuple[str, bytes]]:
    """What a reader gets: type and content of each leaf."""
    parsed = message_from_bytes(message, policy=policy.compat32)
    return [
        (part.get_content_type(), part.get_payload(decode=True))  # type: ignore[misc]
        for part in parsed.walk()
        if not part.is_multipart()
    ]


@pytest.mark.parametrize(
    "message",
    [
        HEAD + TEXT_PART,
        multipart(
            TEXT_PART, b"Content-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n" + bytes(range(256))
        ),
        multipart(multipart(TEXT_PART, b"\r\nonly ascii", TEXT_PART, subtype=b"alternative", head=b""), TEXT_PART),
        multipart(MESSAGE, encoding=b"7bit"),
        HEAD + HTML,
        HEAD + HTML + "ü".encode() * 300,
    ],
)
def test_its_reader_sees_the_same(message: bytes) -> None:
    encoded = to_seven_bit(message)
    assert encoded is not None
    assert encoded.isascii()
    assert leaves(encoded) == leaves(message)
    assert b"8bit" not in encoded.lower() and b"binary" not in encoded.lower()
    assert max(map(len, encoded.split(b"\r\n"))) <= 998
    assert b"\n" not in encoded.replace(b"\r\n", b"")


def test_text_that_says_nothing_of_itself() -> None:
    encoded = to_seven_bit(b"Subject: x\r\n\r\nna\xefve\r\n")
    assert encoded == (
        b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\nna=EFve\r\n"
    )


@pytest.mark.parametrize(
    "message",
    [
        "Subject: Grüße\r\n\r\nx".encode(),
        multipart(TEXT_PART, b"Content-Type: application/pgp-signature\r\n\r\nxx", subtype=b"signed"),
        multipart(multipart(TEXT_PART, b"x", subtype=b"signed", head=b"")),
        HEAD + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n\xc3\xbc",
        HEAD + b"Content-Type: message/delivery-status\r\n\r\n\xc3\xbc",
        multipart(b"Content-Type: text/plain; name=\xfc\r\n\r\nx"),
        multipart(TEXT_PART).replace(b"--b1\r\n", "Präambel\r\n--b1\r\n".encode(), 1),
    ],
)
def test_what_can_not_be_said_in_seven_bits(message: bytes) -> None:
    assert to_seven_bit(message) is None


@given(
    st.binary(max_size=400),
    st.sampled_from(KINDS),
)
def test_whatever_it_is_it_is_seven_bit_or_nothing(junk: bytes, kind: bytes) -> None:
    message = HEAD + b"Content-Type: " + kind + b"\r\n\r\n--b\r\n" + junk + b"\r\n--b--\r\n"
    encoded = to_seven_bit(message)
    assert encoded is None or encoded.isascii()


@given(st.text(alphabet=st.characters(blacklist_characters="\r\n", blacklist_categories=("Cs",)), max_size=300))
def test_any_line_of_text_is_the_same_after(line: str) -> None:
    message = HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + f"ü{line}\r\n{line}".encode()
    encoded = to_seven_bit(message)
    assert encoded is not None
    assert leaves(encoded) == leaves(message)


async def test_an_old_host_gets_it_encoded(office: Office, start: Any) -> None:
    async with Foreign(features=("SIZE 10000000",)).open() as far:
        await start(routes={"far.test": far.route})
        mail_id = await office.mail("a@far.test", body=HEAD + TEXT_PART + b"\r\n")
        await office.outcome(mail_id, "relayed")
        (taken,) = far.taken
        assert taken.body.isascii()
        assert leaves(taken.body) == leaves(HEAD + TEXT_PART + b"\r\n")
        # What is announced is what is sent.
        assert taken.mail_command == f"MAIL FROM:<ann@here.test> SIZE={len(taken.body)}"


async def test_what_would_grow_beyond_what_the_host_takes(office: Office, start: Any) -> None:
    body = BODY + "ü".encode() * 3000 + b"\r\n"
    async with Foreign(features=("SIZE 8000",)).open() as far:
        await start(routes={"far.test": far.route})
        mail_id = await office.mail("a@far.test", body=body)
        await office.outcome(mail_id, "bounced")
        assert "the host takes 8000" in (await office.steps(mail_id))[1].detail


async def test_what_is_too_large_to_be_encoded_in_memory(office: Office, start: Any) -> None:
    async with Foreign(features=()).open() as far:
        await start(routes={"far.test": far.route})
        mail_id = await office.mail("a@far.test", body=BODY + ("ü" * 40 + "\r\n").encode() * 30_000)
        await office.outcome(mail_id, "bounced")
        assert "8BITMIME" in (await office.steps(mail_id))[1].detail
