"""Logs: one line an event, no secrets, nothing from outside that could move a terminal's cursor."""

import asyncio
import io
import json
import logging as standard
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
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


class Writes(io.StringIO):
    """A stream that counts."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def write(self, text: str) -> int:
        self.sizes.append(len(text))
        return super().write(text)


async def test_lines_of_one_turn_are_written_together(configured: Callable[..., io.StringIO]) -> None:
    configured()
    stream = Writes()
    logging.configure(stream=stream)
    log = logging.get_logger("smtp")
    for n in range(5):
        log.info("accepted", n=n)
    assert not stream.sizes
    await asyncio.sleep(0)
    assert len(stream.sizes) == 1
    assert [json.loads(line)["n"] for line in stream.getvalue().splitlines()] == list(range(5))


async def test_no_write_of_several_lines_is_longer_than_a_pipe_takes_as_one(
    configured: Callable[..., io.StringIO],
) -> None:
    configured()
    stream = Writes()
    logging.configure(stream=stream)
    for n in range(100):
        logging.get_logger("smtp").info("accepted", n=n, of="x" * (n * 7))
    await asyncio.sleep(0)
    assert max(stream.sizes) <= logging.WRITE_MOST
    assert len(stream.sizes) < 30
    assert [json.loads(line)["n"] for line in stream.getvalue().splitlines()] == list(range(100))


async def test_a_warning_waits_for_nobody_and_overtakes_nobody(configured: Callable[..., io.StringIO]) -> None:
    stream = configured()
    logging.get_logger("smtp").info("first")
    logging.get_logger("smtp").warning("second")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["first", "second"]


def test_lines_that_a_loop_left_behind_are_not_lost(configured: Callable[..., io.StringIO]) -> None:
    stream = configured()
    log = logging.get_logger("smtp")

    async def last_words() -> None:
        log.info("first")

    asyncio.run(last_words())
    asyncio.run(last_words())
    log.info("last")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["first", "first", "last"]


def test_the_lines_of_the_last_turn_are_written_when_a_process_ends() -> None:
    program = (
        "import asyncio\nfrom barid_runtime import logging\nlogging.configure()\n"
        "async def main():\n    logging.get_logger('x').info('bye')\n    raise SystemExit(3)\nasyncio.run(main())"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    assert json.loads(ended.stderr)["event"] == "bye"


def test_what_json_has_no_word_for_becomes_text(configured: Callable[..., io.StringIO]) -> None:
    stream = configured()
    logging.get_logger("x").info("odd", path=Path("/a"), ratio=0.5, many=[1, "2"], none=None, torn="\udc80")
    line = json.loads(stream.getvalue())
    assert (line["path"], line["ratio"], line["many"], line["none"], line["torn"]) == (
        "/a", 0.5, [1, "2"], None, "\udc80",
    )  # fmt: skip


def test_words_are_put_into_their_places(configured: Callable[..., io.StringIO]) -> None:
    stream = configured()
    logging.get_logger("x").info("%d of %d", 1, 2, n=3)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["n"]) == ("1 of 2", 3)
