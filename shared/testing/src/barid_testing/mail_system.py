"""A whole Barid for tests: started by its command, on ports and data of its own, and spoken to as any client would.

Mail for domains that aren't its own is captured, never sent. `expect` waits on the server's side, so there is no
sleeping in tests and no polling.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default
from email.utils import localtime, make_msgid
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from .api import Api, ApiError, segment

DOMAIN = "example.test"
"""Ours, unless a test asks for another. `.test` is nobody's on the Internet (RFC 6761 §6.2)."""

START_SECONDS = 60.0
"""Usually one; a machine that runs other tests beside takes longer."""

STOP_SECONDS = 30.0
POLL_SECONDS = 0.01
LOG_TAIL = 4_000
CLIENT_TIMEOUT = 30.0


class Endpoint(NamedTuple):
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Account:
    """Someone who can log in. login and address are the same."""

    address: str
    password: str

    @property
    def login(self) -> str:
        return self.address


@dataclass(frozen=True)
class Message:
    """A mail that arrived. where: `mailbox` (then `mailbox` and `uid` say where in it) or `captured`.

    raw: its bytes as a client would fetch them. content: the same, parsed.
    """

    mail_id: str
    where: str
    address: str
    subject: str
    message_id: str
    size: int
    mailbox: str | None
    uid: int | None
    raw: bytes = field(repr=False)

    @cached_property
    def content(self) -> EmailMessage:
        parsed = message_from_bytes(self.raw, policy=default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def text(self) -> str:
        """The plain body, or the HTML one."""
        body = self.content.get_body(("plain", "html"))
        return str(body.get_content()) if body is not None else ""


class DidNotStart(Exception):
    """Its text is the end of the log."""


class NoSuchMail(AssertionError):
    """`expect` waited in vain."""


class MailSystem:
    """A running system. Endpoints as attributes: `smtp`, `submission`, `imap`, … with `host` and `port`.

    options: further options of `barid up`. Log-ins are allowed without TLS, as everything is on loopback.
    """

    smtp: Endpoint
    submission: Endpoint
    submissions: Endpoint
    lmtp: Endpoint
    imap: Endpoint
    imaps: Endpoint
    pop3: Endpoint
    pop3s: Endpoint
    admin: Endpoint

    def __init__(self, folder: Path, options: Sequence[str] = (), *, processes: int = 1) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log_file = folder / "log"
        self._options = [*options]
        self._processes = processes
        self._process: subprocess.Popen[bytes] | None = None
        self._domains: set[str] = set()
        self._status: dict[str, Any] = {}

    # --- life

    def start(self) -> "MailSystem":
        """Returns when everything answers. Raises DidNotStart."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        command = [
            *(_command(), "up", "--data", str(self.data), "--ready-file", str(ready), "--ephemeral"),
            *("--allow-plaintext", "--processes", str(self._processes), "--log-format", "json"),
            *self._options,
        ]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + START_SECONDS
        while not ready.exists():
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill_all()
                raise DidNotStart(f"{' '.join(command)}\n{self.log()}")
            time.sleep(POLL_SECONDS)
        self._read_status()
        return self

    def stop(self) -> None:
        """As Ctrl-C would; what does not end in time is killed, and that is an error."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"barid did not end in {STOP_SECONDS:.0f} s\n{self.log()}") from None

    def restart(self) -> None:
        """Stopped and started on the same data. The ports are others."""
        self.stop()
        self.start()

    def kill(self, name: str) -> int:
        """SIGKILL to the process of a service, or to `nats-server` or `barid`; its pid. Others start it again."""
        pid = self.pids()[name]
        os.kill(pid, signal.SIGKILL)
        if self._process is not None and pid == self._process.pid:
            self._process.wait()
            self._process = None
        return pid

    def kill_all(self) -> None:
        """SIGKILL to all its processes at one instant: none of them sees another one go."""
        pids = set(self.pids().values())
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        for pid in pids:
            _signal(pid, signal.SIGKILL)
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def pids(self) -> dict[str, int]:
        """By name; restarts change them. Several services may share a process."""
        with contextlib.suppress(OSError, ValueError):
            self._read_status()
        return dict(self._status.get("pids", {}))

    def wait_restarted(self, name: str, pid: int, within: float = 30.0) -> int:
        """Until the process that was `pid` has a successor; its pid."""
        until = time.monotonic() + within
        while (found := self.pids().get(name)) in (None, pid):
            if time.monotonic() > until:
                raise AssertionError(f"{name} was not started again in {within:.0f} s\n{self.log()}")
            time.sleep(POLL_SECONDS)
        assert found is not None
        return found

    def log(self, most: int = LOG_TAIL) -> str:
        """The end of the log."""
        try:
            return self.log_file.read_text(errors="replace")[-most:]
        except OSError:
            return ""

    def _read_status(self) -> None:
        self._status = json.loads((self.folder / "ready.json").read_text())
        for name, value in self._status.items():
            if name in MailSystem.__annotations__:
                host, _, port = value.rpartition(":")
                setattr(self, name, Endpoint(host, int(port)))

    def __enter__(self) -> "MailSystem":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- what tests do

    @property
    def api(self) -> Api:
        """The admin API, for what has no method here."""
        return Api(*self.admin, key=self._status["api_key"])

    @property
    def api_key(self) -> str:
        return str(self._status["api_key"])

    def domain(self, name: str) -> str:
        """Make it one of ours."""
        if name not in self._domains:
            self.api.send("PUT", f"/v1/domains/{segment(name)}", {})
            self._domains.add(name)
        return name

    def account(self, local: str | None = None, *, domain: str = DOMAIN, password: str | None = None) -> Account:
        """A new account; without `local`, one whose address nobody has used before."""
        name = local if local is not None else f"user-{secrets.token_hex(6)}"
        made = Account(f"{name}@{self.domain(domain)}", password or secrets.token_urlsafe(12))
        self.api.send("POST", "/v1/accounts", {"address": made.address, "password": made.password})
        return made

    def sieve(self, account: Account | str, script: str) -> None:
        """Install the account's script and make it the active one."""
        address = segment(_address(account))
        self.api.send("PUT", f"/v1/accounts/{address}/sieve/main", {"text": script, "activate": True})

    def send(
        self,
        sender: Account | str,
        to: Account | str | Sequence[Account | str],
        subject: str = "",
        body: str = "",
        *,
        message: EmailMessage | bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> str:
        """Send a mail; its Message-ID. An Account submits it with its log-in, an address sends as another system does.

        message: instead of subject and body. headers: added to them. Raises smtplib's exceptions when refused.
        """
        recipients = [_address(each) for each in ([to] if isinstance(to, Account | str) else to)]
        author = _address(sender)
        if message is None:
            message = EmailMessage(policy=SMTP)
            message["From"], message["To"], message["Subject"] = author, ", ".join(recipients), subject
            message["Date"], message["Message-ID"] = localtime(), make_msgid(domain=DOMAIN)
            for name, value in (headers or {}).items():
                message[name] = value
            message.set_content(body or "\n")
        raw = message if isinstance(message, bytes) else message.as_bytes(policy=SMTP)
        host, port = self.submission if isinstance(sender, Account) else self.smtp
        with smtplib.SMTP(host, port, timeout=CLIENT_TIMEOUT) as client:
            if isinstance(sender, Account):
                client.login(sender.login, sender.password)
            refused = client.sendmail(author, recipients, raw)
        if refused:
            raise smtplib.SMTPRecipientsRefused(refused)
        return str(message_from_bytes(raw, policy=default)["Message-ID"] or "")

    def expect(
        self,
        to: Account | str,
        subject: str | None = None,
        *,
        sender: str | None = None,
        message_id: str | None = None,
        after: str | None = None,
        within: float = 10.0,
    ) -> Message:
        """The newest mail to `to` that fits, now or as soon as it comes: filed in any mailbox, or captured.

        subject, sender, message_id: parts of them. after: a `mail_id`; then the first mail after that. within: seconds.
        Raises NoSuchMail, saying what did come.
        """
        address = _address(to)
        try:
            found = self.api.get(
                "/v1/wait",
                wait=within,
                to=address,
                subject=subject,
                from_=sender,
                message_id=message_id,
                after=after,
                within=within,
            )
        except ApiError as error:
            if error.status not in (404, 408):
                raise
            raise NoSuchMail(f"{error.problem.get('detail', error)}; {self._what_came(address)}") from None
        return self._message(found)

    def expect_none(self, to: Account | str, subject: str | None = None, *, within: float = 1.0) -> None:
        """No such mail is there, nor comes within the time. Say a short time: it is always waited out."""
        try:
            found = self.expect(to, subject, within=within)
        except NoSuchMail:
            return
        raise AssertionError(f"a mail came that should not have: {found}")

    def captured(self, to: str | None = None, subject: str | None = None) -> list[Message]:
        """Mail for other domains, kept instead of sent, oldest first."""
        found: list[Message] = []
        cursor: str | None = None
        while True:
            page = self.api.get("/v1/captured", address=to, subject=subject, cursor=cursor)
            found += [self._message({"where": "captured", **item}) for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                return found

    def trace(self, mail: Message | str) -> list[dict[str, Any]]:
        """What became of a mail, by time: each step has `what` (accepted, filed, relayed, …), `address`, `detail`.

        mail: a Message, a mail id or a Message-ID.
        """
        name = mail.mail_id if isinstance(mail, Message) else mail
        found = self.api.get("/v1/trace", message_id=name) if "@" in name else self.api.get("/v1/trace", mail_id=name)
        return list(found["steps"])

    def _message(self, found: dict[str, Any]) -> Message:
        return Message(
            mail_id=found["mail_id"],
            where=found["where"],
            address=found["address"],
            subject=found["subject"],
            message_id=found["message_id"],
            size=found["size"],
            mailbox=found.get("mailbox"),
            uid=found.get("uid"),
            raw=self.api.raw(found["raw"]),
        )

    def _what_came(self, address: str) -> str:
        try:
            items = self.api.get(f"/v1/accounts/{segment(address)}/messages", limit=10)["items"]
        except (ApiError, OSError):
            items = self.api.get("/v1/captured", address=address)["items"]
        subjects = [item["subject"] for item in items]
        return f"what came: {subjects}" if subjects else "nothing came"


def _address(who: Account | str) -> str:
    return who.address if isinstance(who, Account) else who


def _command() -> str:
    """The `barid` beside this Python, else from PATH."""
    beside = Path(sys.executable).with_name("barid")
    found = str(beside) if beside.exists() else shutil.which("barid")
    if found is None:
        raise DidNotStart("there is no `barid` command in this environment: pip install barid")
    return found


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
