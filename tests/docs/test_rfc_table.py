"""docs/rfc.md says what is there: its paths exist, and it and the code cite the same RFCs."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "rfc.md"

SOURCES = ("shared/*/src/**/*.py", "services/*/src/**/*.py", "services/*/src/**/*.sql")
CITED = re.compile(r"RFC (\d{3,5}(?:, \d{3,5})*)")
FOLDERS = re.compile(r"^Code under `([^`]+)`, tests under `([^`]+)`")
PATH = re.compile(r"`([^`]+)`")

SPOKEN_CELLS = 6
NAMED_CELLS = 4


@dataclass(frozen=True)
class Row:
    """One line of a table. State: Whole, Part, or empty for what is only named."""

    line: int
    rfc: int
    state: str
    code: tuple[Path, ...]
    tests: tuple[Path, ...]


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def paths_in(cell: str, folder: str) -> tuple[Path, ...]:
    """Under the table's folder, or at the top."""
    found = []
    for text in PATH.findall(cell):
        under = ROOT / folder / text
        found.append(under if folder and under.exists() else ROOT / text)
    return tuple(found)


def rows() -> list[Row]:
    found: list[Row] = []
    code_folder = test_folder = ""
    for number, line in enumerate(PAGE.read_text().splitlines(), 1):
        if line.startswith("## "):
            code_folder = test_folder = ""
        if folders := FOLDERS.match(line):
            code_folder, test_folder = folders.groups()
        if not re.match(r"\| \d+ \|", line):
            continue
        cells = cells_of(line)
        assert len(cells) in (SPOKEN_CELLS, NAMED_CELLS), f"line {number} has {len(cells)} cells"
        spoken = len(cells) == SPOKEN_CELLS
        state = re.match(r"\*\*(\w+)\*\*", cells[2]) if spoken else None
        found.append(
            Row(
                number,
                int(cells[0]),
                state[1] if state else "",
                paths_in(cells[4] if spoken else cells[3], code_folder),
                paths_in(cells[5], test_folder) if spoken else (),
            )
        )
    return found


ROWS = rows()


@cache
def cited_in(path: Path) -> frozenset[int]:
    files = [path] if path.is_file() else [each for each in path.rglob("*.py") if each.is_file()]
    return frozenset(
        int(number) for file in files for list_ in CITED.findall(file.read_text()) for number in list_.split(", ")
    )


def name(row: Row) -> str:
    return f"{row.rfc}-line-{row.line}"


def test_there_are_rows() -> None:
    assert len(ROWS) > 50


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_its_paths_exist(row: Row) -> None:
    assert row.code, "no code"
    assert [str(path.relative_to(ROOT)) for path in (*row.code, *row.tests) if not path.exists()] == []


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_its_code_cites_it(row: Row) -> None:
    assert any(row.rfc in cited_in(path) for path in row.code)


def test_what_is_spoken_says_how_much_of_it() -> None:
    assert {row.state for row in ROWS if row.state} == {"Whole", "Part"}


def test_what_code_cites_has_a_row() -> None:
    missing: dict[int, str] = {}
    for pattern in SOURCES:
        for path in ROOT.glob(pattern):
            for rfc in cited_in(path) - {row.rfc for row in ROWS}:
                missing[rfc] = str(path.relative_to(ROOT))
    assert missing == {}
