"""What a start may raise that whoever runs us can mend: told in one sentence, with an exit code of sysexits(3).

Anything else that a start raises is a fault of the program: its traceback is wanted, and the exit code is 1.

    64  EX_USAGE        (typer's own is 2)            73  EX_CANTCREAT    a file or folder can't be made
    69  EX_UNAVAILABLE  a port, a store, a newer file 74  EX_IOERR        the disk: full, broken, its journal too
    71  EX_OSERR        the system said no            75  EX_TEMPFAIL     somebody else has it just now
    77  EX_NOPERM       it isn't for our user         78  EX_CONFIG       settings, certificates: trying again is vain
"""

import errno
import os

from .bus.port import BusError
from .database.port import DatabaseError, DatabaseFull
from .journal.port import JournalError
from .objects.port import ObjectError
from .settings import EXIT_SETTINGS, SettingsError
from .tls import TlsError

_CODES: tuple[tuple[type[Exception], int], ...] = (
    (SettingsError, EXIT_SETTINGS),
    (TlsError, EXIT_SETTINGS),
    (DatabaseFull, os.EX_IOERR),
    (DatabaseError, os.EX_UNAVAILABLE),
    (JournalError, os.EX_IOERR),
    (ObjectError, os.EX_UNAVAILABLE),
    (BusError, os.EX_UNAVAILABLE),
)

_CODES_OF_ERRNO = {
    errno.EACCES: os.EX_NOPERM,
    errno.EPERM: os.EX_NOPERM,
    errno.EROFS: os.EX_CANTCREAT,
    errno.ENOENT: os.EX_CANTCREAT,
    errno.ENOTDIR: os.EX_CANTCREAT,
    errno.EEXIST: os.EX_CANTCREAT,
    errno.EISDIR: os.EX_CANTCREAT,
    errno.ENOSPC: os.EX_IOERR,
    errno.EDQUOT: os.EX_IOERR,
    errno.EIO: os.EX_IOERR,
    errno.EADDRINUSE: os.EX_UNAVAILABLE,
    errno.EADDRNOTAVAIL: os.EX_UNAVAILABLE,
}

EXPECTED: tuple[type[Exception], ...] = (*(kind for kind, _ in _CODES), OSError)


class StartFailed(Exception):
    """A service can't start, and the text, which names it, says what to mend. exit_code: of sysexits(3)."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def exit_code(error: BaseException) -> int:
    """Of sysexits(3) for what is expected, else 1."""
    if isinstance(error, OSError):
        return _CODES_OF_ERRNO.get(error.errno or 0, os.EX_OSERR)
    known = getattr(error, "exit_code", None)
    return known if isinstance(known, int) else next((code for kind, code in _CODES if isinstance(error, kind)), 1)


def sentence(error: BaseException) -> str:
    """What is wrong, and with what: Python's own words of an OSError begin with a number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
    return str(error) or type(error).__name__


def as_start_failed(service: str, error: Exception) -> StartFailed:
    """Of one of EXPECTED."""
    return StartFailed(f"{service}: {sentence(error)}", exit_code(error))
