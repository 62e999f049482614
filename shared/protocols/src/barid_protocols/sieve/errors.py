"""What can go wrong with a script.

SieveError
├── SieveSyntaxError    compile time: the script is refused, with the place
└── SieveRuntimeError   run time: the host keeps the message (RFC 5228 §2.10.6)

The text of both is safe to show to the script's author: printable ASCII, bounded, nothing of the message in it.
"""

_SHOWN = 40  # enough to recognise a word by; an error must stay one short line


class SieveError(Exception):
    """Base of everything the engine raises."""


class SieveSyntaxError(SieveError):
    """The script cannot be compiled. `line` and `column` count from 1; `reason` is the bare text."""

    def __init__(self, reason: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {reason}")
        self.reason = reason
        self.line = line
        self.column = column


class SieveRuntimeError(SieveError):
    """The script cannot be carried to its end. `line` counts from 1; 0 where no single line is to blame."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.reason = reason
        self.line = line


def shown(word: str) -> str:
    """A word of the script as it may stand in an error text: quoted, ASCII, cut."""
    cut = word if len(word) <= _SHOWN else word[: _SHOWN - 3] + "..."
    return '"' + "".join(c if " " <= c <= "~" and c not in '"\\' else "?" for c in cut) + '"'
