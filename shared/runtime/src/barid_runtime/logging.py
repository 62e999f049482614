"""Structured logs: one line an event, JSON or for people, to standard error.

A line's fields say what an operator can act on; a mail is named by `mail_id`, an obligation by `n`, an account by
`account`. Passwords, keys and bodies are never fields; a field whose name says that it is a secret is blanked all the
same.

Lines below warning that come in one turn of an event loop are written together at the next: a line a write is 6 µs of
kernel each, and lets go of the interpreter's lock each time. A process that is killed loses the lines of its last turn;
one that ends in any other way does not.

Price of a line with eight fields: 5 µs and its part of a write (14 by way of structlog's processors and the standard
library's encoder); below the level a hundredth of that, as those methods do nothing at all. Still several lines a mail
would be felt: log once per decision, not once per step.
"""

import asyncio
import atexit
import functools
import json
import logging
import os
import sys
import time
import traceback
import warnings
import weakref
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO, cast

from pydantic_core import to_json

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

WRITE_MOST = 4096
"""Characters of a write of several lines: what a pipe takes as one, so that the lines of processes that share it never
mix."""

Fields = MutableMapping[str, Any]
Render = Callable[[Any, str, Fields], str]

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
            if method in _PLAIN and _target is not None and found.__name__ != "_nop":
                found = _short_cut(found, method, self._name)
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
    global _target
    render: Render = _console if format == "console" else _json
    if _target is not None:
        _target.flush()
    target = _target = _Target(stream if stream is not None else sys.stderr, render)
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


class _Target:
    """Where all lines go, at once or with the others of this turn of the loop."""

    __slots__ = ("_gathered", "_loop", "_write", "render")

    def __init__(self, stream: TextIO, render: Render) -> None:
        self._write = stream.write
        self._gathered: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self.render = render

    def soon(self, line: str) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.now(line)
            return
        gathered = self._gathered
        # What another loop's end has left here goes with ours.
        if not gathered or loop is not self._loop:
            self._loop = loop
            loop.call_soon(self.flush)
        gathered.append(line)

    def now(self, line: str) -> None:
        self._gathered.append(line)
        self.flush()

    def flush(self) -> None:
        if not self._gathered:
            return
        lines, self._gathered = self._gathered, []
        text = ""
        for line in lines:
            if text and len(text) + len(line) > WRITE_MOST:
                self._put(text)
                text = ""
            text += line
        self._put(text)

    def _put(self, text: str) -> None:
        try:
            self._write(text)
        except (OSError, ValueError):
            # Nobody reads our standard error any more: no reason to stop serving.
            pass


_target: _Target | None = None


def _flush() -> None:
    if _target is not None:
        _target.flush()


atexit.register(_flush)
os.register_at_fork(before=_flush)


class _Sink:
    """One logger's way to the target. structlog calls the method named as the level."""

    __slots__ = ("name", "now", "soon")

    def __init__(self, target: _Target, name: str) -> None:
        self.soon = target.soon
        self.now = target.now
        self.name = name

    @property
    def debug(self) -> Callable[[str], None]:
        return self.soon

    @property
    def warning(self) -> Callable[[str], None]:
        return self.now

    info = debug
    msg = error = critical = exception = warning


_PLAIN = frozenset({"debug", "info"})


def _short_cut(bound: Callable[..., Any], level: str, name: str) -> Callable[..., Any]:
    """The logger's method for lines that need nothing of structlog: no positional arguments, nothing bound."""
    assert _target is not None
    sink = _Sink(_target, name)
    write, render = _target.soon, _target.render

    def log(event: str | None = None, *arguments: Any, **fields: Any) -> Any:
        if arguments:
            return bound(event, *arguments, **fields)
        fields["event"] = event
        return write(render(sink, level, fields))

    return log


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
    line.update(fields)
    if not SECRET_FIELDS.isdisjoint(fields):
        line.update(dict.fromkeys(SECRET_FIELDS & fields.keys(), "***"))
    for name, value in fields.items():
        if value.__class__ is str and len(value) > FIELD_MOST and name not in SECRET_FIELDS:
            line[name] = value[:FIELD_MOST] + "…"
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


_SIMPLE = frozenset({str, int, bool, type(None)})
"""Types that every encoder writes alike."""


def _json(logger: Any, level: str, fields: Fields) -> str:
    line = _prepare(logger, level, fields)
    if _SIMPLE.issuperset(map(type, line.values())):
        try:
            return to_json(line).decode() + "\n"  # 2 µs, where the standard library's encoder takes 6
        except ValueError:  # half a surrogate pair, as names of files may hold
            pass
    return _encode(line) + "\n"


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
