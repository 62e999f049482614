"""What the documents link to, or name as a path, is there: files, folders, and headings within documents."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
LINK = re.compile(r"\[[^\]\n]*\]\(\s*<?([^)>\s]+)>?[^)]*\)")
CODE_BLOCK = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`(?:[^`\n]* )?((?:bench|docs|services|shared|tests|tools)/[^`\s:]+)")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
NOT_OURS = {".venv", ".git", "node_modules"}

DOCUMENTS = sorted(path for path in ROOT.rglob("*.md") if not NOT_OURS.intersection(path.relative_to(ROOT).parts[:-1]))


def prose(path: Path) -> str:
    return CODE_BLOCK.sub("", path.read_text())


@cache
def anchors(path: Path) -> frozenset[str]:
    """As the usual hosts make them of headings."""
    found = []
    for heading in HEADING.findall(prose(path)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        found.append(re.sub(r"[^\w\- ]", "", text).replace(" ", "-"))
    return frozenset(found)


def broken(path: Path) -> list[str]:
    found = []
    for link in LINK.findall(prose(path)):
        if ELSEWHERE.match(link):
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / name.lstrip("/") if name.startswith("/") else path.parent / name) if name else path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            found.append(link)
    return found


def test_there_are_documents() -> None:
    assert ROOT / "docs" / "architecture.md" in DOCUMENTS


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_its_links_resolve(path: Path) -> None:
    assert broken(path) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_that_it_names_exist(path: Path) -> None:
    """In code spans, from the top of the repository or from beside the document; with wildcards, at least one. `…` and
    `<…>` stand for a name."""
    named = [each.rstrip("/") for each in NAMED.findall(prose(path)) if not re.search(r"[<{…]", each)]
    assert [each for each in named if not any(ROOT.glob(each)) and not any(path.parent.glob(each))] == []
