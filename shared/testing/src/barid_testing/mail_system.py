"""A whole Barid for tests, spoken to as any client would.

Mail for domains that aren't its own is captured, never sent. `expect` waits on the server's side, so there is no
sleeping in tests and no polling.
"""

import asyncio
import secrets
import smtplib
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, compat32
from email.utils import localtime, make_msgid
from pathlib import Path
from typing import Any

from .api import Api, ApiError, segment
from .message import Message
from .running import DidNotStart, Endpoint, RunningSystem

__all__ = [
    "ANYWHERE",
    "DOMAIN",
    "Account",
    "ApiError",
    "DidNotStart",
    "Endpoint",
    "MailSystem",
    "Message",
    "NoSuchMail",
]

DOMAIN = "example.test"
"""Ours, unless a test asks for another. `.test` is nobody's on the Internet (RFC 6761 §6.2)."""

ANYWHERE = ("--set", 'smtp_ingress.relay_networks=["127.0.0.0/8"]')
"""Options with which programs on this machine may send to any address by port `smtp`, without a log-in: most programs
under test are set up for a relay like that. Mail for elsewhere is captured as ever."""

CLIENT_TIMEOUT = 30.0

MOST_TOLD = 10
"""Mails told of when `expect` waited in vain."""


@dataclass(frozen=True, slots=True)
class Account:
    """Someone who can log in. login and address are the same."""

    address: str
    password: str

    @property
    def login(self) -> str:
        return self.address


class NoSuchMail(AssertionError):
    """`expect` waited in vain."""


class MailSystem(RunningSystem):
    """A running system with what tests do to it. Endpoints are attributes: `smtp`, `submission`, `imap`, … with `host`
    and `port`. options: further ones of `barid up`."""

    def __init__(self, folder: Path, options: Sequence[str] = (), *, processes: int = 1) -> None:
        super().__init__(folder, options, processes=processes)
        self._domains: set[str] = set()

    @property
    def environment(self) -> dict[str, str]:
        """Where everything is, as variables for a program under test: `SMTP_HOST`, `SMTP_PORT`, and the same for each
        listener; `BARID_API` (a URL) and `BARID_API_KEY`."""
        host, port = self.admin
        found = {"BARID_API": f"http://{host}:{port}", "BARID_API_KEY": self.api_key}
        for name in self.listeners:
            host, port = self.next_endpoint(name)
            if name != "admin":
                found |= {f"{name.upper()}_HOST": host, f"{name.upper()}_PORT": str(port)}
        return found

    @property
    def api(self) -> Api:
        """The admin API, for what has no method here."""
        return Api(*self.admin, key=self._status["api_key"])

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
        return str(message_from_bytes(raw, policy=compat32)["Message-ID"] or "").strip()

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
        __tracebackhide__ = True
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
            asked = {"subject": subject, "sender": sender, "message_id": message_id, "after": after}
            about = ", ".join(f"{name} {value!r}" for name, value in asked.items() if value is not None)
            said = error.problem.get("detail", str(error)) + (f": {about}" if about else "")
            raise NoSuchMail(f"{said}\n{self._what_came(address)}") from None
        return self._message(found)

    async def aexpect(self, to: Account | str, subject: str | None = None, **more: Any) -> Message:
        """`expect` for tests that run on an event loop, which goes on meanwhile. more: as there."""
        __tracebackhide__ = True
        return await asyncio.to_thread(self.expect, to, subject, **more)

    def expect_none(self, to: Account | str, subject: str | None = None, *, within: float = 1.0) -> None:
        """No such mail is there, nor comes within the time. Say a short time: it is always waited out."""
        __tracebackhide__ = True
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
        """What there is for the address instead, newest first; else what was captured for others."""
        found: list[dict[str, Any]] = []
        for target in self.api.get(f"/v1/explain/{segment(address)}")["targets"]:
            if target["kind"] == "account":
                found += self.api.get(f"/v1/accounts/{segment(target['address'])}/messages", limit=MOST_TOLD)["items"]
            else:
                found += self.api.get("/v1/captured", address=target["address"], limit=MOST_TOLD)["items"]
        if found:
            return "\n".join([f"what came to {address}:", *map(_in_a_line, found[:MOST_TOLD])])
        others = self.api.get("/v1/captured", limit=MOST_TOLD)["items"]
        if others:
            return "\n".join([f"nothing came to {address}; captured for others:", *map(_in_a_line, others)])
        return f"nothing came to {address}"


def _in_a_line(item: dict[str, Any]) -> str:
    where = f"in {item['mailbox']}" if item.get("mailbox") else f"to {item['address']}"
    return f"  {item['subject']!r} {where}, {item.get('message_id') or 'without a Message-ID'} ({item['mail_id']})"


def _address(who: Account | str) -> str:
    return who.address if isinstance(who, Account) else who
