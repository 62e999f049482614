"""What protocol cores and contracts may import: what is not in these lists is refused, whatever it is.

No I/O, no clock, no chance, no logging: modules of the standard library that compute, and nothing else. A core that
needs keys adds `cryptography` to the list of its own room.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"

COMPUTES = {
    "__future__", "array", "base64", "binascii", "bisect", "collections", "dataclasses", "enum", "functools", "hashlib",
    "heapq", "hmac", "html", "ipaddress", "itertools", "re", "stringprep", "struct", "types", "typing", "unicodedata",
}  # fmt: skip

ALLOWED = {
    "protocols": COMPUTES | {"barid_protocols"},
    "contracts": {"__future__", "dataclasses", "enum", "typing", "pydantic", "barid_contracts"},
}

PARTS = {
    "datetime": {"UTC", "date", "datetime", "time", "timedelta", "timezone"},
    "io": {"IncrementalNewlineDecoder"},
}
"""Of these only so much, by name: the one could ask for the time, the other opens files."""

ASKS_THE_CLOCK = {"now", "today", "utcnow"}


def imports(source: str) -> Iterator[tuple[int, str, set[str]]]:
    """Line, module and the names taken from it; none for a module as a whole."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0], set()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert node.module is not None
            yield node.lineno, node.module.partition(".")[0], {alias.name for alias in node.names}


def trespasses(room: str, source: str) -> list[str]:
    found = []
    for line, module, names in imports(source):
        allowed = module in ALLOWED[room] or (room == "protocols" and names and names <= PARTS.get(module, set()))
        if not allowed:
            found.append(f"line {line}: {module}")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in ASKS_THE_CLOCK:
            found.append(f"line {node.lineno}: .{node.attr}")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"open", "__import__"}:
            found.append(f"line {node.lineno}: {node.func.id}()")
    return found


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_a_pure_room_imports_what_computes_and_nothing_else(room: str) -> None:
    files = sorted((SHARED / room / "src").rglob("*.py"))
    assert files
    told = {str(path.relative_to(SHARED)): trespasses(room, path.read_text()) for path in files}
    assert {path: found for path, found in told.items() if found} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import time", "def f():\n    import os.path", "from pathlib import Path", "import httpx",
        "from io import open", "import io", "import datetime", "import secrets", "from cryptography import x509",
        "open('f')", "import email",
        "from datetime import datetime\nx = datetime.now()", "__import__('os')", "from barid_runtime import clock",
    ],
)  # fmt: skip
def test_a_trespass_is_seen(source: str) -> None:
    assert trespasses("protocols", source)
