"""Strangers' words have no power over a terminal."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barid.letters import show
from barid.terminal import printable, printable_json, printable_line

BIDI_CLASSES = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
ANY_TEXT = st.text(st.characters(), max_size=60)  # lone surrogates too


def harmless(character: str) -> bool:
    return character in "\n\t" or (
        unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        and unicodedata.bidirectional(character) not in BIDI_CLASSES
    )


@given(ANY_TEXT)
def test_nothing_that_moves_the_cursor_or_turns_the_line_is_left(text: str) -> None:
    assert all(map(harmless, printable(text)))
    assert all(map(harmless, printable_json({"a": text})))
    assert len(printable_line(text).splitlines()) <= 1


@given(ANY_TEXT)
def test_json_means_what_it_meant(text: str) -> None:
    assert json.loads(printable_json([{text: text}])) == [{text: text}]


@pytest.mark.parametrize(
    "text", ["Grüße, 日本語", "a\u00a0b", "می\u200cخواهم", "👩\u200d👩\u200d👧", "שלום", "a\tb\nc", "co\u00adop"]
)
def test_languages_stay_whole(text: str) -> None:
    assert printable(text) == text


def test_what_is_taken_out_is_seen_to_be_missing() -> None:
    assert printable("\x1b]0;title\x07 \x9b2J \u202egnp.exe") == "\ufffd]0;title\ufffd \ufffd2J \ufffdgnp.exe"


def test_a_subject_cannot_add_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    stranger = "x\r\nFrom: the bank\x1b[2J\u202e"
    mail = {"from": stranger, "to": stranger, "date": stranger, "subject": stranger, "text": stranger}
    show([mail | {"attachments": [stranger]}], as_json=False)
    head, _, rest = capsys.readouterr().out.partition("\n\n")
    assert [line.partition(": ")[0] for line in head.split("\n")] == ["From", "To", "Date", "Subject", "Attached"]
    assert all(map(harmless, head + rest))
    show([mail | {"attachments": [stranger]}], as_json=True)
    out = capsys.readouterr().out
    assert all(map(harmless, out))
    assert json.loads(out)[0]["subject"] == stranger
