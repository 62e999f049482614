"""What the doctor says."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Grade = Literal["ok", "warn", "fail"]

DAMAGED_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    grade: Grade
    text: str
    fix: str = ""


Findings = Iterator[Finding]


def damage_finding(check: str, damaged: list[str]) -> Finding:
    """damaged: where, one line each."""
    return Finding(
        check,
        "fail",
        f"{len(damaged)} damaged records: {', '.join(damaged[:DAMAGED_SHOWN])}",
        "restore these packs from a backup; all other mail is served meanwhile",
    )
