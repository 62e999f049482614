"""A process's life: started with patience, ended by a signal in order, or at once."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from barid_runtime.bus.port import BusUnavailable
from barid_runtime.run import Runner
from barid_runtime.settings import EXIT_SETTINGS

PROGRAM = """
import asyncio, os, sys
from barid_runtime.bus.port import BusUnavailable
from barid_runtime.database.port import DatabaseAway
from barid_runtime.run import Fatal, serve
from barid_runtime.settings import ServiceSettings

class Settings(ServiceSettings):
    mode: str = ""

class Service:
    name = "sample"

    def __init__(self, settings):
        self.mode = settings.mode
        self.tries = 0

    async def start(self):
        self.tries += 1
        if self.mode == "late bus" and self.tries < 3:
            raise BusUnavailable("not yet")
        if self.mode == "late database" and self.tries < 3:
            raise DatabaseAway("not yet")
        if self.mode == "broken":
            raise PermissionError(13, "Permission denied", "/journal")
        if self.mode == "our fault":
            raise KeyError("nobody foresaw it")
        if self.mode == "never":
            raise BusUnavailable("never")
        if self.mode == "writes":
            open("made", "w").close()
        if self.mode == "fatal":
            self.task = asyncio.get_running_loop().create_task(self.die())
        if self.mode == "unhandled":
            asyncio.get_running_loop().call_later(0.05, self.trip)
        print("started", self.tries, flush=True)

    def trip(self):
        raise RuntimeError("tripped")

    async def die(self):
        asyncio.get_running_loop().call_exception_handler({"message": "gone", "exception": Fatal("disk gone")})

    async def drain(self):
        print("draining", flush=True)
        await asyncio.sleep({"slow": 0.3, "stuck": 60}.get(self.mode, 0))
        print("drained", flush=True)

    def checks(self):
        return {"bus": "ok"}

    def ports(self):
        return {"smtp": 2525}

if __name__ == "__main__":
    serve(Service, Settings)
"""


class Program:
    """The sample service in a process."""

    def __init__(self, script: Path, mode: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(script)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=script.parent,
            umask=0o022,
            env={**os.environ, "BARID_DATA": "/nowhere", "BARID_HEALTH_PORT": "0", "BARID_MODE": mode, **environment},
        )

    @staticmethod
    def _line(stream: IO[str] | None) -> str:
        assert stream is not None
        return stream.readline().rstrip("\n")

    def says(self) -> str:
        return self._line(self.process.stdout)

    def logs(self, event: str) -> dict[str, object]:
        """The next log line of that event."""
        while text := self._line(self.process.stderr):
            line: dict[str, object] = json.loads(text)
            if line["event"] == event:
                return line
        raise AssertionError(f"{event} was not logged")

    def end(self) -> int:
        return self.process.wait(15)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[object]:
    script = tmp_path / "sample.py"
    script.write_text(PROGRAM)
    programs: list[Program] = []

    def start(mode: str = "", **environment: str) -> Program:
        programs.append(Program(script, mode, **environment))
        return programs[-1]

    yield start
    for program in programs:
        program.close()


def readiness(port: object) -> tuple[int, dict[str, object]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_what_a_service_makes_is_for_its_user_alone(start, tmp_path: Path) -> None:
    assert start("writes").says() == "started 1"
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_then_ends_with_zero(start, number: signal.Signals) -> None:
    program = start("slow")
    port = program.logs("health")["port"]
    assert program.says() == "started 1"
    assert program.logs("started")["ports"] == {"smtp": 2525}
    assert readiness(port) == (200, {"ready": True, "draining": False, "checks": {"sample": {"bus": "ok"}}})
    program.process.send_signal(number)
    assert program.says() == "draining"
    status, body = readiness(port)
    assert (status, body["draining"]) == (503, True)
    assert program.says() == "drained"
    assert program.end() == 0


@pytest.mark.parametrize("what", ["bus", "database"])
def test_what_is_not_there_yet_is_waited_for(start, what: str) -> None:
    program = start(f"late {what}")
    assert program.logs(f"waiting for the {what}")["error"] == "not yet"
    assert program.says() == "started 3"
    program.process.terminate()
    assert program.end() == 0


def test_a_signal_while_waiting_for_the_bus(start) -> None:
    program = start("never")
    port = program.logs("health")["port"]
    program.logs("waiting for the bus")
    assert readiness(port)[0] == 503
    program.process.terminate()
    assert program.says() == "draining"
    assert program.end() == 0


def test_a_start_that_fails_ends_the_process_with_the_reason(start) -> None:
    program = start("broken")
    line = program.logs("start failed")
    assert line["error"] == "sample: /journal: Permission denied"
    assert "traceback" not in line
    assert program.process.wait(10) == os.EX_NOPERM


def test_a_start_that_fails_by_our_fault_has_its_traceback(start) -> None:
    program = start("our fault")
    line = program.logs("start failed")
    assert "nobody foresaw it" in line["traceback"]
    assert program.process.wait(10) == 1


def test_a_drain_that_never_ends_is_left(start) -> None:
    program = start("stuck", BARID_DRAIN_SECONDS="0.3")
    program.says()
    started = time.monotonic()
    program.process.terminate()
    assert program.logs("drain took too long")["service"] == "sample"
    assert program.end() == 0
    assert time.monotonic() - started < 5


def test_a_second_signal_ends_at_once(start) -> None:
    program = start("stuck")
    assert program.says() == "started 1"
    program.process.terminate()
    assert program.says() == "draining"
    program.process.terminate()
    assert program.end() == 128 + signal.SIGTERM


def test_an_exception_nobody_took_is_logged_and_survived(start) -> None:
    program = start("unhandled")
    assert "tripped" in str(program.logs("unhandled")["traceback"])
    assert program.process.poll() is None
    program.process.terminate()
    assert program.end() == 0


def test_a_fatal_one_drains_and_ends_with_one(start) -> None:
    program = start("fatal")
    assert "disk gone" in str(program.logs("unhandled")["traceback"])
    assert program.end() == 1


def test_wrong_settings_are_said_before_anything_starts(start) -> None:
    program = start("", BARID_HEALTH_PORT="many")
    assert program.end() == EXIT_SETTINGS
    assert program._line(program.process.stderr).startswith("BARID_HEALTH_PORT is wrong")


async def test_many_services_start_and_drain_side_by_side() -> None:
    class Slow:
        def __init__(self, name: str) -> None:
            self.name = name
            self.tries = 0
            self.drained = False

        async def start(self) -> None:
            self.tries += 1
            if self.tries == 1:
                raise BusUnavailable("not yet")
            await asyncio.sleep(0.1)

        async def drain(self) -> None:
            await asyncio.sleep(0.1)
            self.drained = True
            if self.name == "3":
                raise RuntimeError("a drain may fail")

        def checks(self) -> dict[str, str]:
            return {}

        def ports(self) -> dict[str, int]:
            return {"smtp": int(self.name)}

    services = [Slow(str(n)) for n in range(10)]
    runner = Runner(services)
    started = time.monotonic()
    await runner.start()
    assert runner.ports() == {str(n): {"smtp": n} for n in range(10)}
    await runner.drain()
    assert time.monotonic() - started < 0.9
    assert all(service.drained for service in services)
