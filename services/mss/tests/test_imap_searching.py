"""SEARCH over flags, headers, dates, sizes and text."""

import pytest

from .house import House, letter

QUOTED_PRINTABLE = (
    b"From: =?utf-8?q?J=C3=B6rg?= <joerg@far.test>\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\r\n"
    b"Date: Tue, 1 Sep 2020 23:30:00 -0500\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\nSch=F6ne Aus=\r\nsicht\r\n"
)


async def _house_of_three(house: House) -> None:
    await house.deliver("bob", message=letter("alpha report", body="nothing to see\r\n"))
    await house.deliver("bob", message=QUOTED_PRINTABLE)
    await house.deliver("bob", message=letter("omega", body="see you\r\n" * 1000, Cc="carl@far.test"))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("ALL", [1, 2, 3]),
        ("UNSEEN", [1, 2, 3]),
        ("2:*", [2, 3]),
        ("UID 1,3", [1, 3]),
        ("SUBJECT alpha", [1]),
        ("SUBJECT REPORT", [1]),
        ('HEADER Message-ID ""', [1, 3]),
        ("CC carl", [3]),
        ("NOT FROM ann", [2]),
        ("OR SUBJECT alpha SUBJECT omega", [1, 3]),
        ("BODY see", [1, 3]),
        ("BODY SEE SUBJECT omega", [3]),
        ("TEXT omega", [3]),
        ("TEXT {8+}\r\nschöne", [2]),
        ("CHARSET UTF-8 SUBJECT {7+}\r\nGRüSSE", [2]),
        ("BODY aussicht", [2]),
        ("LARGER 5000", [3]),
        ("SMALLER 5000", [1, 2]),
        ("SENTON 1-Sep-2020", [2]),
        ("SENTSINCE 2-Sep-2020", [1, 3]),
        ("SINCE 1-Jan-2000", [1, 2, 3]),
        ("BEFORE 1-Jan-2000", []),
        ("TEXT nowhere", []),
    ],
)
async def test_keys(house: House, key: str, expected: list[int]) -> None:
    await _house_of_three(house)
    client = await house.imap(mailbox="INBOX")
    command = key.encode()
    # The literal's count is of octets; typed by hand above for the two that need one.
    if b"sch" in command:
        command = b"TEXT {7+}\r\nsch\xc3\xb6ne"
    if b"GR" in command:
        command = b"CHARSET UTF-8 SUBJECT {7+}\r\nGR\xc3\xbcSSE"
    (line,) = await client.ok(b"SEARCH " + command)
    assert [int(number) for number in line.split()[2:]] == expected
    (line,) = await client.ok(b"UID SEARCH " + command)
    assert [int(number) for number in line.split()[2:]] == expected
