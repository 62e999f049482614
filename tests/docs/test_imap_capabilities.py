"""Every capability that IMAP advertises has a row in docs/rfc.md, and that row a dialogue."""

import re
from pathlib import Path

import pytest

from barid_protocols.imap.capabilities import AFTER_LOGIN, BASE

ROOT = Path(__file__).parents[2]

TITLES = {
    "THREAD=ORDEREDSUBJECT": "SORT and THREAD",
    "THREAD=REFERENCES": "SORT and THREAD",
    "CREATE-SPECIAL-USE": "SPECIAL-USE",
}
"""Where a row goes by another name than its capability."""

PROVEN = re.compile(r"`[^`]*(?:dialogues/\w+\.txt|test_\w+\.py)`")


def rows() -> list[list[str]]:
    page = (ROOT / "docs" / "rfc.md").read_text()
    table = page.split("\n## IMAP\n")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| ")
    ]


@pytest.mark.parametrize("name", [name.decode() for name in (*BASE, *AFTER_LOGIN)])
def test_what_is_advertised_is_shown(name: str) -> None:
    title = TITLES.get(name, name)
    found = [row for row in rows() if title in re.split(r" and |: ", row[1]) or row[1] == title]
    assert found, f"no row for {name}"
    assert all(PROVEN.search(row[5]) for row in found), f"nothing shows {name}"
