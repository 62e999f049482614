"""What the server writes can be read back, and no stored byte gets out of its string."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.imap import codes, quoting, responses
from barid_protocols.imap.dates import format_epoch, parse_date_time
from barid_protocols.imap.errors import SyntaxProblem, UserError
from barid_protocols.imap.fetch import Attribute, BodySection, Load, label, load_of, parse_items, sets_seen
from barid_protocols.imap.fetch_responses import fetch_line, flags_lines, section_part
from barid_protocols.imap.flags import ANSWERED, SEEN, FlagTable, format_flags, is_keyword, parse_flags
from barid_protocols.imap.grammar import Cursor


@settings(max_examples=100)
@given(value=st.binary(max_size=40))
def test_strings_come_back(value: bytes) -> None:
    for written in (quoting.string(value), quoting.astring(value), quoting.literal(value)):
        read = Cursor(written)
        assert read.astring() == value.replace(b"\0", b"\x80")
        read.end()


@settings(max_examples=100)
@given(text=st.text(), code=st.sampled_from([b"", codes.TRYCREATE]))
def test_a_reply_is_one_line_whatever_its_text(text: str, code: bytes) -> None:
    line = responses.no(text, code).line(b"t")
    assert line.startswith(b"t NO ")
    assert line.count(b"\r") == line.count(b"\n") == 1
    assert line.endswith(b"\r\n")
    assert line.isascii()
    assert (b" [" in line[:6]) == bool(code)


@settings(max_examples=100)
@given(seconds=st.integers(0, 4_000_000_000), minutes=st.integers(-14 * 60, 14 * 60))
def test_dates_come_back(seconds: int, minutes: int) -> None:
    when = datetime.fromtimestamp(seconds, timezone(timedelta(minutes=minutes)))
    assert parse_date_time(when.strftime("%d-%b-%Y %H:%M:%S %z").encode()) == when
    assert parse_date_time(format_epoch(seconds).strip(b'"')) == when.astimezone(UTC)


@pytest.mark.parametrize(
    "text",
    [b"", b"17-Jul-1996", b"31-Feb-1996 02:44:25 -0700", b"17-Jul-1996 25:44:25 -0700", b"17-Jul-1996 02:44:25 -9999"],
)
def test_impossible_date_times(text: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        parse_date_time(text)


@pytest.mark.parametrize(
    ("asked", "labelled", "load", "seen"),
    [
        ("BODY[]", "BODY[]", Load.BYTES, True),
        ("BODY.PEEK[]<0.10>", "BODY[]<0>", Load.BYTES, False),
        ("body.peek[header.fields (From {2}\r\nTo)]", "BODY[HEADER.FIELDS (From To)]", Load.HEADER, False),
        ("BODY[HEADER.FIELDS.NOT (X)]<5.2>", "BODY[HEADER.FIELDS.NOT (X)]<5>", Load.HEADER, True),
        ("BODY.PEEK[1.2.MIME]", "BODY[1.2.MIME]", Load.BYTES, False),
        ("BODY[3.HEADER]", "BODY[3.HEADER]", Load.BYTES, True),
        ("BODY[TEXT]", "BODY[TEXT]", Load.BYTES, True),
        ("RFC822", "RFC822", Load.BYTES, True),
        ("RFC822.HEADER", "RFC822.HEADER", Load.HEADER, False),
        ("RFC822.TEXT", "RFC822.TEXT", Load.BYTES, True),
        ("RFC822.SIZE", "RFC822.SIZE", Load.SUMMARY, False),
        ("(FLAGS UID MODSEQ)", "FLAGS", Load.SNAPSHOT, False),
        ("FULL", "FLAGS", Load.SUMMARY, False),
        ("BODY", "BODY", Load.SUMMARY, False),
    ],
)
def test_fetch_items(asked: str, labelled: str, load: Load, seen: bool) -> None:
    cursor = Cursor(asked.encode())
    items = parse_items(cursor)
    cursor.end()
    assert label(items[0]) == labelled.encode()
    assert load_of(items) is load
    assert sets_seen(items) == seen


def test_items_asked_twice_are_given_once() -> None:
    assert parse_items(Cursor(b"(FLAGS UID FLAGS)")) == (Attribute.FLAGS, Attribute.UID)


def test_windows() -> None:
    section = BodySection(partial=(5, 10))
    assert section.window(100) == (5, 15)
    assert section.window(8) == (5, 8)
    assert section.window(2) == (2, 2)
    assert BodySection().window(7) == (0, 7)
    assert section_part(section, b"") == b"BODY[]<5> {0}\r\n"
    assert section_part(BodySection(), None) == b"BODY[] NIL"


def test_flags() -> None:
    flags = parse_flags([rb"\seen", b"$forwarded", b"Work", rb"\ANSWERED", b"$Forwarded"])
    assert flags.mask == SEEN | ANSWERED
    assert flags.keywords == {"$Forwarded", "Work"}
    assert bytes(flags) == rb"(\Seen \Answered $Forwarded Work)"
    assert is_keyword("$Work")
    assert not any(map(is_keyword, ["", "a b", "ü", "a)", r"\Seen", "x" * 65, "a\r\n"]))
    with pytest.raises(UserError):
        parse_flags([b"x" * 65])
    with pytest.raises(UserError):
        parse_flags([b"k%d" % number for number in range(65)])
    with pytest.raises(SyntaxProblem):
        parse_flags([rb"\Recent"])


def test_a_flag_table_numbers_combinations() -> None:
    table = FlagTable()
    assert table.code(SEEN) == SEEN
    code = table.code(SEEN, {"b", "a"})
    assert code == table.code(SEEN, ["a", "b"])
    assert code > 31
    assert (table.mask(code), table.keywords(code)) == (SEEN, {"a", "b"})
    assert table.texts[code] == format_flags(SEEN, frozenset("ab")) == r"(\Seen a b)"
    assert table.recent_texts[code] == r"(\Seen \Recent a b)"


def test_flags_lines_cross_their_blocks() -> None:
    count = 10_000
    lines = flags_lines(range(1, count + 1), ["()"] * count, uids=range(11, count + 11), modseqs=[7] * count)
    assert lines.count(b"\r\n") == count
    assert lines.startswith(b"* 1 FETCH (UID 11 FLAGS () MODSEQ (7))\r\n* 2 FETCH (UID 12 ")
    assert lines.endswith(b"* 10000 FETCH (UID 10010 FLAGS () MODSEQ (7))\r\n")


def test_lines() -> None:
    assert responses.search([1, 5], 9) == b"* SEARCH 1 5 (MODSEQ 9)\r\n"
    assert responses.enabled([]) == b"* ENABLED\r\n"
    assert responses.server_id(None) == b"* ID NIL\r\n"
    assert responses.list_line("Entwürfe & mehr") == b'* LIST () "/" "Entw&APw-rfe &- mehr"\r\n'
    assert responses.status_line("NIL", {b"MESSAGES": 3}) == b'* STATUS "NIL" (MESSAGES 3)\r\n'
    assert (
        responses.untagged_ok("Copied", codes.copyuid(3, [1, 2, 9], [4, 5, 6]))
        == b"* OK [COPYUID 3 1:2,9 4:6] Copied\r\n"
    )
    assert fetch_line(3, [b"UID 5"]) == b"* 3 FETCH (UID 5)\r\n"
    assert codes.modified([1, 2, 3]) == b"MODIFIED 1:3"
