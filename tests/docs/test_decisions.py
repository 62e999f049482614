"""Decisions are numbered, short, and say what they cost."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "adr"
DECISIONS = sorted(FOLDER.glob("*.md"))

MOST_WORDS = 500
"""A page."""


def test_numbers_follow_each_other() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_a_page_with_its_price(path: Path) -> None:
    text = path.read_text()
    assert re.match(rf"# {int(path.name[:4])}\. \S", text)
    for part in ("**Context.**", "**Decision.**", "**Price.**"):
        assert part in text
    assert len(text.split()) <= MOST_WORDS
