"""Structured logs: one line an event, JSON or for people, to standard error.

A line's fields say what an operator can act on; a mail is named by `mail_id`, an obligation by `n`, an account by
`account`. Passwords, keys and bodies are never fields; a field whose name says that it is a secret is blanked all the
same.

Price of a line with three fields: half of what structlog's own processors take (measured side by side, 15 µs against
35 on a slow day); below the level a hundredth of that, as those methods do nothing at all. Still several lines a mail
would be felt: log once per decision, not once per step.
"""

import functools
import json
import logging
import sys
import time
import traceback
import warnings
import weakref
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

# structlog prepares tracebacks drawn by rich wherever that is installed: 0.1 s and 5 MB for what we don't use.
_rich = sys.modules.get("rich")
sys.modules["rich"] = cast("Any", None)
import structlog  # noqa: E402

if _rich is None:
    del sys.modules["rich"]
else:
    sys.modules["rich"] = _rich

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

SECRET_FIELDS = frozenset({"password", "new_password", "secret", "token", "api_key", "credentials", "authorization"})

FIELD_MOST = 2_000
"""Characters of one text field: a log line is not the place for what a client sent."""

TRACEBACK_MOST = 16_000
"""Characters of a traceback: its end says what failed."""

Fields = MutableMapping[str, Any]

_encode = json.JSONEncoder(ensure_ascii=False, default=str, separators=(",", ":")).encode


class _Logger:
    """A name that becomes structlog's bound logger at its first line after `configure`.

    structlog's own lazy proxy binds anew for every line, which costs more than the line. Here the methods of the bound
    logger become attributes of this object, found without any of our code; `configure` forgets them.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:
        found = getattr(structlog.get_logger(self._name).bind(), method)
        if structlog.is_configured() and not method.startswith("_"):
            self.__dict__[method] = found
        return found


_loggers: weakref.WeakSet[_Logger] = weakref.WeakSet()


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose lines carry `logger=name`. May be made at import: it takes its shape at its first line."""
    logger = _Logger(name)
    _loggers.add(logger)
    return cast("structlog.typing.FilteringBoundLogger", logger)


def configure(level: str = "info", format: str = "json", stream: TextIO | None = None) -> None:
    """Set up once, at the start of the process. Warnings and the records of other libraries come into the same log."""
    render = _console if format == "console" else _json
    target = stream if stream is not None else sys.stderr
    structlog.configure(
        processors=[render],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        context_class=dict,
        logger_factory=lambda *names: _Sink(target, names[0] if names else ""),
        cache_logger_on_first_use=False,
    )
    for logger in _loggers:
        logger.__dict__ = {"_name": logger._name}
    foreign = _Foreign(level=max(LEVELS[level], logging.WARNING))
    logging.basicConfig(handlers=[foreign], level=foreign.level, force=True)
    logging.captureWarnings(True)
    warnings.simplefilter("default")


class _Sink:
    """Where the lines of one logger go. structlog calls the method named as the level."""

    __slots__ = ("_write", "name")

    def __init__(self, stream: TextIO, name: str) -> None:
        self._write = stream.write
        self.name = name

    def line(self, text: str) -> None:
        try:
            self._write(text)
        except (OSError, ValueError):
            # Nobody reads our standard error any more: no reason to stop serving.
            pass

    debug = info = warning = error = critical = exception = msg = line


@functools.lru_cache(maxsize=2)
def _second(now: int) -> str:
    """Lines come many a second: the calendar is asked once."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))


def _prepare(logger: Any, level: str, fields: Fields) -> dict[str, Any]:
    """The line's fields, in the order in which people look for them."""
    now = time.time()
    line: dict[str, Any] = {
        "at": f"{_second(int(now))}.{int(now % 1 * 1000):03d}Z",
        "level": level,
        "logger": logger.name,
        "event": fields.pop("event", ""),
    }
    failure = fields.pop("exc_info", None)
    for name, value in fields.items():
        if name in SECRET_FIELDS:
            value = "***"
        elif value.__class__ is str and len(value) > FIELD_MOST:
            value = value[:FIELD_MOST] + "…"
        line[name] = value
    if failure:
        line["traceback"] = _traceback(failure)
    return line


def _traceback(failure: Any) -> str:
    if isinstance(failure, BaseException):
        text = "".join(traceback.format_exception(failure))
    elif isinstance(failure, tuple):
        text = "".join(traceback.format_exception(*failure))
    else:
        text = traceback.format_exc()
    return text[-TRACEBACK_MOST:]


def _json(logger: Any, level: str, fields: Fields) -> str:
    return _encode(_prepare(logger, level, fields)) + "\n"


def _console(logger: Any, level: str, fields: Fields) -> str:
    line = _prepare(logger, level, fields)
    failure = line.pop("traceback", None)
    head = f"{line.pop('at')[11:23]} {line.pop('level'):7} {line.pop('logger'):12} {line.pop('event')}"
    tail = " ".join(f"{name}={_quoted(value)}" for name, value in line.items())
    return f"{head}  {tail}\n" + (failure if failure else "")


def _quoted(value: Any) -> str:
    """Control characters from outside must not move the terminal's cursor."""
    text = str(value)
    return text if text.isprintable() and " " not in text and text else _encode(text)


class _Foreign(logging.Handler):
    """Records of libraries that use the standard library's logging."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            log = structlog.get_logger(record.name)
            log.log(record.levelno, record.getMessage(), **({"exc_info": record.exc_info} if record.exc_info else {}))
        except Exception:
            self.handleError(record)
