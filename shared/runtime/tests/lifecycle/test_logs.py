"""Logs: one line an event, no secrets, nothing from outside that could move a terminal's cursor."""

import io
import json
import logging as standard
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from barid_runtime import logging


@pytest.fixture
def configured() -> Iterator[Callable[..., io.StringIO]]:
    handlers, level = standard.root.handlers[:], standard.root.level

    def configure(**options: Any) -> io.StringIO:
        stream = io.StringIO()
        logging.configure(stream=stream, **options)
        return stream

    with warnings.catch_warnings():
        yield configure
    standard.captureWarnings(False)
    standard.root.handlers[:] = handlers
    standard.root.setLevel(level)
    structlog.reset_defaults()


def test_a_line_is_json_with_its_fields(configured: Callable[..., io.StringIO]) -> None:
    log = logging.get_logger("relay")
    stream = configured()
    log.info("deferred", mail_id="01J", n=2, error='said "no"\n', password="swordfish")
    line = json.loads(stream.getvalue())
    assert line.pop("at").endswith("Z")
    assert line == {
        "level": "info", "logger": "relay", "event": "deferred", "mail_id": "01J", "n": 2, "error": 'said "no"\n',
        "password": "***",
    }  # fmt: skip
    assert stream.getvalue().count("\n") == 1


def test_below_the_level_nothing_is_written(configured: Callable[..., io.StringIO]) -> None:
    stream = configured(level="warning")
    log = logging.get_logger("quiet")
    log.debug("no")
    log.info("no")
    log.warning("yes")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["yes"]


def test_an_exception_has_its_traceback(configured: Callable[..., io.StringIO]) -> None:
    stream = configured()
    try:
        raise RuntimeError("broken pipe organ")
    except RuntimeError:
        logging.get_logger("x").exception("failed", mail_id="01J")
    line = json.loads(stream.getvalue())
    assert line["level"] == "error"
    assert "broken pipe organ" in line["traceback"]


def test_bound_fields_come_along(configured: Callable[..., io.StringIO]) -> None:
    stream = configured()
    logging.get_logger("x").bind(mail_id="01J").info("settled")
    assert json.loads(stream.getvalue())["mail_id"] == "01J"


def test_for_people_on_one_line_without_control_characters(configured: Callable[..., io.StringIO]) -> None:
    stream = configured(format="console")
    logging.get_logger("smtp").info("refused", helo="\x1b[2Jevil\r\nfake line", n=1)
    (line,) = stream.getvalue().splitlines()
    assert "\x1b" not in line
    assert line[13:].startswith("info    smtp         refused  helo=")


def test_long_fields_are_cut(configured: Callable[..., io.StringIO]) -> None:
    stream = configured()
    logging.get_logger("x").info("long", helo="x" * 100_000)
    assert len(stream.getvalue()) < 3_000


def test_warnings_and_other_libraries_come_into_the_same_log(configured: Callable[..., io.StringIO]) -> None:
    stream = configured()
    standard.getLogger("library").warning("careful with %s", "that")
    warnings.warn("old way", DeprecationWarning, stacklevel=1)
    first, second = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (first["logger"], first["event"], first["level"]) == ("library", "careful with that", "warning")
    assert second["logger"] == "py.warnings"
    assert "old way" in second["event"]


def test_a_closed_standard_error_stops_nobody(configured: Callable[..., io.StringIO]) -> None:
    stream = configured()
    stream.close()
    logging.get_logger("x").error("unheard")
