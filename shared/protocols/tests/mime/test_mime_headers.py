"""Header blocks: found, looked up, filtered, changed for submission."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.mime.headers import HeaderBlock, cap_header, filter_fields, find_header_end, split_message, unfold
from barid_protocols.mime.limits import MAX_HEADER_BLOCK
from barid_protocols.mime.submission import prepare_submission

MESSAGE = (
    b"Received: from a by b;\r\n\tMon, 23 Nov 2026 15:00:00 +0000\r\n"
    b"RECEIVED: from c by a\r\n"
    b"Subject: a long\r\n subject\r\n"
    b"From : alice@example.org\r\n"
    b"Subject: another\r\n"
    b"this is no field\r\n"
    b"X-Empty:\r\n"
    b"\r\n"
    b"Body: not a field\r\n"
)


def test_a_header_is_read() -> None:
    block, body = split_message(MESSAGE)
    assert MESSAGE[body:] == b"Body: not a field\r\n"
    assert block.raw == MESSAGE[:body]
    assert [name for name, _ in block.fields] == [b"Received", b"RECEIVED", b"Subject", b"From", b"Subject", b"X-Empty"]
    assert block.get(b"subject") == b"a long subject"
    assert block.get(b"from") == b"alice@example.org"
    assert block.get(b"x-empty") == b""
    assert block.get(b"to") is None
    assert block.raw_value(b"subject") == b" a long\r\n subject\r"
    assert block.all(b"subject") == [b" a long\r\n subject\r", b" another\r"]
    assert block.received_count == 2
    assert b"subject" in block
    assert b"body" not in block


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"", -1),
        (b"\r\n", 2),
        (b"\nx", 1),
        (b"a: b", -1),
        (b"a: b\r\n", -1),
        (b"a: b\r\n\r\nc", 8),
        (b"a: b\n\nc\r\n\r\n", 6),
        (b"a: b\r\n\r\nc\n\n", 8),
        (b"a: b\n\r\nc", 7),
    ],
)
def test_where_the_body_begins(data: bytes, end: int) -> None:
    assert find_header_end(data) == end


def test_a_message_without_a_blank_line_is_all_header() -> None:
    block, body = split_message(b"Subject: x\r\nTo: y")
    assert (block.get(b"to"), body) == (b"y", 17)


def test_an_unfolded_value_is_one_line() -> None:
    assert unfold(b" a\r\n\tb\n c\rd\0e \r") == b"a\tb cd e".replace(b"cd", b"c d")


def test_a_huge_header_is_parsed_in_part() -> None:
    block, body = split_message(b"X-A: b\r\n" * 100_000 + b"\r\nhi")
    assert body == 800_002
    assert len(block.raw) <= MAX_HEADER_BLOCK
    assert block.raw.endswith(b"X-A: b\r\n")
    assert len(cap_header(b"x" * 100_000)) == MAX_HEADER_BLOCK


def test_fields_are_picked() -> None:
    header = MESSAGE[: find_header_end(MESSAGE)]
    assert filter_fields(header, frozenset({b"subject", b"to"})) == (
        b"Subject: a long\r\n subject\r\nSubject: another\r\n\r\n"
    )
    assert filter_fields(header, frozenset({b"subject", b"received"}), exclude=True) == (
        b"From : alice@example.org\r\nthis is no field\r\nX-Empty:\r\n\r\n"
    )
    assert filter_fields(b"", frozenset({b"to"})) == b"\r\n"
    assert filter_fields(b"To: x", frozenset({b"to"})) == b"To: x\r\n\r\n"


LINES = st.lists(
    st.sampled_from(
        [b"Subject: x", b" fold", b"To: y", b"bcc: z", b"Bcc : q", b"no field", b"\tfold", b"Resent-Bcc:r"]
    ),
    max_size=12,
)


@given(LINES)
@settings(max_examples=60, deadline=None)
def test_picked_and_left_fields_are_the_whole_header(lines: list[bytes]) -> None:
    header = b"".join(line + b"\r\n" for line in [b"From: a", *lines]) + b"\r\n"
    names = frozenset({b"to", b"bcc"})
    picked, left = filter_fields(header, names), filter_fields(header, names, exclude=True)
    assert len(picked) + len(left) == len(header) + 2
    assert {name.lower() for name, _ in HeaderBlock(picked).fields} <= names
    assert not names & {name.lower() for name, _ in HeaderBlock(left).fields}


DATE, ID = b"Mon, 23 Nov 2026 15:00:00 +0000", b"<1@barid.example>"


def test_submission_adds_what_is_missing() -> None:
    assert prepare_submission(b"From: a@b\r\nTo: c@d\r\n\r\n", date=DATE, message_id=ID) == (
        b"From: a@b\r\nTo: c@d\r\nDate: " + DATE + b"\r\nMessage-ID: " + ID + b"\r\n\r\n"
    )


def test_submission_leaves_what_is_complete() -> None:
    header = b"date : yesterday\r\nMESSAGE-ID: <x>\r\nTo: c@d\r\n\r\n"
    assert prepare_submission(header, date=DATE, message_id=ID) == header


def test_submission_removes_bcc_wherever_it_stands() -> None:
    header = (
        b"Bcc: a,\r\n b\r\nDate: x\r\nbcc : c\r\nMessage-ID: y\r\nX-Bcc: stays\r\nResent-Bcc: d\r\n\tbcc: e\r\n\r\n"
    )
    assert prepare_submission(header, date=DATE, message_id=ID) == b"Date: x\r\nMessage-ID: y\r\nX-Bcc: stays\r\n\r\n"


def test_submission_without_a_blank_line() -> None:
    assert prepare_submission(b"To: x", date=DATE, message_id=ID).endswith(b"Message-ID: " + ID + b"\r\n\r\n")
    assert prepare_submission(b"\r\n", date=DATE, message_id=ID).startswith(b"Date: ")


@given(LINES)
@settings(max_examples=60, deadline=None)
def test_no_bcc_leaves_by_submission(lines: list[bytes]) -> None:
    header = b"".join(line + b"\r\n" for line in [b"From: a", *lines]) + b"\r\n"
    done = prepare_submission(header, date=DATE, message_id=ID)
    names = {name.lower() for name, _ in HeaderBlock(done).fields}
    assert not names & {b"bcc", b"resent-bcc"}
    assert {b"date", b"message-id"} <= names
    assert find_header_end(done) == len(done)
    assert prepare_submission(done, date=DATE, message_id=ID) == done
