"""What `barid up` says once everything answers: where, as whom, and how to send and read a first mail."""

import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ACCOUNTS_SHOWN = 3

PURPOSES = {
    "smtp": "mail from other systems",
    "submission": "users' mail, STARTTLS",
    "submissions": "users' mail, TLS",
    "lmtp": "mail from a neighbour",
    "imap": "reading, STARTTLS",
    "imaps": "reading, TLS",
    "pop3": "reading, STLS",
    "pop3s": "reading, TLS",
    "admin": "REST API",
}


def command() -> str:
    """What a shell here takes for us: the bare name only where it finds this installation by it."""
    ours = Path(sys.executable).with_name("barid")
    found = shutil.which("barid")
    if not ours.exists() or (found is not None and Path(found).resolve() == ours.resolve()):
        return "barid"
    near = ours.relative_to(Path.cwd()) if ours.is_relative_to(Path.cwd()) else ours
    return shlex.quote(str(near) if len(near.parts) > 1 else f"./{near}")


def welcome(
    status: dict[str, Any], data: Path, relay: Mapping[str, Any], barid: str = "barid", *, given: bool = False
) -> str:
    """status: as in `running.json`. relay: its settings. barid: the command. given: the accounts are the operator's,
    whose passwords are nobody else's to read: logs of containers are kept and copied. A text for a terminal."""
    lines = ["", "Barid is ready.", ""]
    lines += [f"  {name:<12} {status[name]:<22} {purpose}" for name, purpose in PURPOSES.items() if name in status]
    accounts = status["accounts"]
    lines += ["", "Accounts:"]
    lines += [
        f"  {each['login']}" + ("" if given else f"   password {each['password']}")
        for each in accounts[:ACCOUNTS_SHOWN]
    ]
    if len(accounts) > ACCOUNTS_SHOWN:
        lines.append(f"  and {len(accounts) - ACCOUNTS_SHOWN} more")
    if accounts:
        lines += ["", "Try it, in another terminal:", *_tries(status, data, barid, given=given)]
    lines += ["", *_elsewhere(relay, data, barid)]
    lines += ["", f"Data: {data}. API key: in {data / 'admin.json'}. Ctrl-C ends it.", ""]
    return "\n".join(lines) + "\n"


def _elsewhere(relay: Mapping[str, Any], data: Path, barid: str) -> list[str]:
    """What becomes of mail that goes out: nobody should wait for what was never sent, nor send by mistake."""
    routes = ", ".join(f"{domain} by {host}" for domain, host in relay.get("routes", {}).items())
    routed = [f"Except for routed domains: {routes}."] if routes else []
    if relay["outbound"] == "direct":
        return ["Mail for other domains is sent, to their mail exchangers.", *routed]
    if relay["outbound"] == "smarthost":
        return [f"Mail for other domains is sent, by {relay['smarthost']}.", *routed]
    return [
        f"Mail for other domains is captured: kept here, not sent. See `{barid} captured list{_where(data)}`;",
        f"`{barid} up{_where(data)} --outbound direct` sends it, to their mail exchangers; instead of `direct`,",
        "`smarthost --smarthost HOST:PORT` sends it by that host.",
        *routed,
    ]


def _where(data: Path) -> str:
    return "" if data == Path.cwd() / "data" else f" --data {shlex.quote(str(data))}"


def _tries(status: dict[str, Any], data: Path, barid: str, *, given: bool) -> list[str]:
    first, second = status["accounts"][0], status["accounts"][min(1, len(status["accounts"]) - 1)]
    where = _where(data)
    tries = []
    if "submission" in status:
        tries.append(f"  {barid} send{where} --from {first['login']} --to {second['login']} --subject Hello")
    if "imaps" in status:
        tries.append(f"  {barid} read{where} --account {second['login']}")
        # Without the password curl asks for it.
        login = shlex.quote(second["login"] if given else f"{second['login']}:{second['password']}")
        tries.append(f"  curl -k -u {login} 'imaps://{status['imaps']}/INBOX;MAILINDEX=1'")
    return tries
