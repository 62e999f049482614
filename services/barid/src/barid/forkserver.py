"""A process that imports all services once and forks each of them on demand: `python -m barid.forkserver FD`.

Why: a service takes half a second of CPU to import and 40 MB. Forked from here it stands in some milliseconds, at its
start as after a crash, and shares those pages with its neighbours. Safe, since this process has no threads and no
event loop: it only waits for two descriptors.

Over the socket FD, JSON lines. From the supervisor: `{"group", "services": {name: settings}, "health_port", …}` is
forked. To the supervisor: `{"event": "imported"}`, `{"event": "forked"|"ended", "group", "pid", "code"}`, and of the
forked process itself `{"event": "ready", "group", "pid", "ports"}` or `{"event": "failed", "group", "pid", "text",
"code"}`; a line is one send and far below the socket's buffer, so lines of several senders don't mix.

Who ends whom: the supervisor gone, we read the end of the socket and end; us gone, the kernel kills what we forked.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from typing import Any, NoReturn

from .roster import SERVICES, module_of

RECEIVE = 64 * 1024
EXIT_FAILED = 1

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
M_ARENA_MAX = -8
ARENAS = 2
"""glibc makes an arena for each thread that allocates, and keeps them: with a few worker threads 10 MB a process."""


def main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    _die_with(os.getppid())
    few_arenas()
    gc.disable()
    for service in SERVICES:
        importlib.import_module(module_of(service))
    # Objects of the imports are out of the collector's way: it would write into their pages and unshare them.
    gc.collect()
    gc.freeze()
    gc.enable()
    _Forks(channel).serve()


class _Forks:
    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._groups: dict[int, str] = {}
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def serve(self) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake)
        tell(self._channel, {"event": "imported"})
        rest = b""
        while True:
            readable, _, _ = select.select([self._channel.fileno(), self._woken], [], [])
            if self._woken in readable:
                os.read(self._woken, RECEIVE)
                self._reap()
            if self._channel.fileno() in readable:
                chunk = self._channel.recv(RECEIVE)
                if not chunk:
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._fork(json.loads(line))

    def _fork(self, order: dict[str, Any]) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            self._groups[pid] = order["group"]
            tell(self._channel, {"event": "forked", "group": order["group"], "pid": pid})
            return
        code = EXIT_FAILED
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(self._woken)
            os.close(self._wake)
            _die_with(parent)
            name_process(order["group"])
            code = run_group(order, self._channel)
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else EXIT_FAILED
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            # Not the exit handlers of the process that we were forked from.
            os._exit(code)

    def _reap(self) -> None:
        while self._groups:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            tell(self._channel, {"event": "ended", "group": self._groups.pop(pid), "pid": pid, "code": code})


def run_group(order: dict[str, Any], channel: socket.socket) -> int:
    """Run the services of a group in this process until SIGTERM; the exit code."""
    from barid_runtime import logging
    from barid_runtime.failures import EXPECTED, StartFailed, as_start_failed
    from barid_runtime.run import Ports, run

    from .building import build

    logging.configure(order["log_level"], order["log_format"])

    def on_failed(failure: StartFailed) -> None:
        # The supervisor says it, once, to the person who started it.
        content = {"text": str(failure), "code": failure.exit_code}
        tell(channel, {"event": "failed", "group": order["group"], "pid": os.getpid()} | content)

    services = []
    for name, given in order["services"].items():
        try:
            services.append(build(name, given))
        except EXPECTED as error:
            failure = as_start_failed(name, error)
            on_failed(failure)
            return failure.exit_code

    def on_ready(ports: Ports) -> None:
        flat = {name: port for each in ports.values() for name, port in each.items()}
        tell(channel, {"event": "ready", "group": order["group"], "pid": os.getpid(), "ports": flat})

    return run(
        services,
        health_port=order["health_port"],
        drain_seconds=order["drain_seconds"],
        on_ready=on_ready,
        on_failed=on_failed,
    )


def tell(channel: socket.socket, message: dict[str, Any]) -> None:
    """One line in one send. A supervisor that is gone needs no telling."""
    with contextlib.suppress(OSError):
        channel.sendall(json.dumps(message).encode() + b"\n")


def few_arenas() -> None:
    """Where the C library is glibc."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


def name_process(name: str) -> None:
    """For `ps -e` and `top`; 15 characters count."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def _die_with(parent: int) -> None:
    """Killed when the parent ends, however it ends (Linux; elsewhere the socket's end must do)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            _leave()


def _leave() -> NoReturn:
    os._exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
