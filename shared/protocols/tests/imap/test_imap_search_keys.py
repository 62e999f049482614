"""SEARCH: what a command means, on rows that count how often they are asked."""

from dataclasses import dataclass, field
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.imap.changes import Columns
from barid_protocols.imap.commands.search import parse
from barid_protocols.imap.flags import DRAFT, FLAGGED, SEEN, FlagTable
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.search import Key, Needs, needs, uses_modseq
from barid_protocols.imap.search_predicates import compile_key
from barid_protocols.imap.selected import SelectedMailbox
from barid_protocols.imap.selected_search import rows, search_snapshot


@dataclass
class Letter:
    seq: int = 1
    uid: int = 10
    mask: int = 0
    keywords: frozenset[str] = frozenset()
    recent: bool = False
    modseq: int = 5
    size: int = 100
    received: int = 1_709_200_000
    email_id: str = "M1"
    internal_date: date = date(2024, 2, 29)
    sent_date: date | None = date(2024, 2, 28)
    headers: dict[str, bytes] = field(default_factory=dict)
    body: str = ""
    asked: int = 0

    def header(self, name: str) -> bytes | None:
        self.asked += 1
        return self.headers.get(name)

    def body_contains(self, needle: str) -> bool:
        self.asked += 1
        return needle in self.body.casefold()

    def text_contains(self, needle: str) -> bool:
        return self.body_contains(needle)


def key_of(text: str) -> Key:
    return parse(b"t", b"SEARCH", Cursor(b" " + text.encode())).key


def matches(text: str, letter: Letter) -> bool:
    return compile_key(key_of(text), last_number=3, last_uid=30)(letter)


LETTER = Letter(
    seq=2,
    uid=20,
    mask=SEEN | DRAFT,
    keywords=frozenset({"$Junk", "Work"}),
    recent=True,
    headers={
        "subject": b"=?utf-8?Q?Gr=C3=BC=C3=9Fe?= aus\r\n =?iso-8859-1?B?S/ZsbiE=?=",
        "from": b"Bob <bob@example.org>",
        "x-empty": b"",
    },
    body="Straße",
)


@pytest.mark.parametrize(
    "text",
    [
        "ALL",
        "SEEN DRAFT UNFLAGGED UNANSWERED UNDELETED",
        "RECENT NOT NEW NOT OLD",
        "KEYWORD $junk UNKEYWORD other",
        "keyword WORK",
        "2",
        "1:*",
        "UID 20",
        "UID 15:25 UID 1,20",
        "OR UID 1 2",
        "NOT (UID 1)",
        "ON 29-Feb-2024 SINCE 29-Feb-2024 BEFORE 1-Mar-2024",
        "SENTON 28-Feb-2024 SENTSINCE 1-Jan-2024 SENTBEFORE 29-Feb-2024",
        "LARGER 99 SMALLER 101",
        "MODSEQ 5",
        "FROM BOB",
        'SUBJECT "GRÜSSE AUS KÖLN"',
        "HEADER X-Empty {0}\r\n",
        'HEADER From "example.org"',
        "BODY STRASSE",
        'TEXT "straße"',
    ],
)
def test_what_matches(text: str) -> None:
    assert matches(text, LETTER)
    assert not matches(f"NOT ({text})", LETTER)


@pytest.mark.parametrize(
    "text",
    [
        "3",
        "UID 99",
        "7:9",
        "LARGER 100",
        "SMALLER 100",
        "BEFORE 29-Feb-2024",
        "HEADER X-None {0}\r\n",
        "CC x",
        "MODSEQ 6",
        "NEW",
    ],
)
def test_what_does_not(text: str) -> None:
    assert not matches(text, LETTER)


def test_a_letter_without_date_matches_no_sent_key() -> None:
    letter = Letter(sent_date=None)
    assert not any(matches(f"{key} 1-Jan-2024", letter) for key in ("SENTBEFORE", "SENTON", "SENTSINCE"))


def test_cheap_keys_run_first() -> None:
    letter = Letter()
    assert not matches("TEXT x BODY y FROM z SEEN", letter)
    assert not matches("OR (BODY x SEEN) FLAGGED", letter)
    assert letter.asked == 0


def test_needs() -> None:
    assert needs(key_of("OR UNSEEN (UID 1:* KEYWORD x) NOT MODSEQ 4")) == set()
    assert needs(key_of("OR SENTON 1-Jan-2000 NOT (FROM x BODY y)")) == {Needs.SUMMARY, Needs.HEADER, Needs.BODY}
    assert uses_modseq(key_of("NOT OR SEEN (SEEN MODSEQ 4)"))


flag_keys = st.recursive(
    st.sampled_from(
        [
            "SEEN",
            "UNSEEN",
            "FLAGGED",
            "KEYWORD Work",
            "UNKEYWORD Work",
            "ALL",
            "2:3",
            "UID 4:*",
            "MODSEQ 3",
            "NEW",
            "OLD",
        ]
    ),
    lambda inner: st.one_of(
        inner.map("NOT {}".format),
        st.tuples(inner, inner).map(lambda pair: f"OR {pair[0]} {pair[1]}"),
        st.lists(inner, min_size=1, max_size=3).map(lambda keys: f"({' '.join(keys)})"),
    ),
    max_leaves=6,
)


@settings(max_examples=100)
@given(text=flag_keys)
def test_the_short_ways_find_what_the_long_way_finds(text: str) -> None:
    table = FlagTable()
    work = frozenset({"Work"})
    codes = [table.code(0), table.code(SEEN), table.code(FLAGGED, work), table.code(SEEN, work), table.code(0, work)]
    columns = Columns.of([(uid, code, uid) for uid, code in zip((1, 2, 4, 5, 9), codes, strict=True)])
    selected = SelectedMailbox(columns, table, highest_modseq=9, recent_from=5)
    key = key_of(text)
    test = compile_key(key, last_number=5, last_uid=9)
    slow = [row for row in rows(selected, [(0, 5)]) if test(row)]
    assert list(search_snapshot(selected, key, uid=True)[0]) == [row.uid for row in slow]
    assert list(search_snapshot(selected, key, uid=False)[0]) == [row.seq for row in slow]
