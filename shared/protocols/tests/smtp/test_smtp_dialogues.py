"""Plays ``dialogues/*.txt`` against the server core; ``dialogues/README.md`` explains the lines."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from barid_protocols.smtp import (
    Answer,
    Authenticate,
    Closed,
    DataEnd,
    DataStarted,
    Decision,
    Event,
    MailFrom,
    RcptTo,
    Reply,
    ServerConnection,
    ServerOptions,
    lmtp,
    mx,
    replies,
    submission,
    submissions,
)

DIALOGUES = sorted((Path(__file__).parent / "dialogues").glob("*.txt"))


class Host:
    """The policy that the dialogues count on."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def answer(self, event: Decision) -> Answer:
        match event:
            case RcptTo(recipients):
                known = {"unknown": replies.NO_SUCH_USER, "later": replies.TRY_LATER}
                return [known.get(address.local, replies.RECIPIENT_OK) for address in recipients]
            case MailFrom(reverse_path) if reverse_path is not None and reverse_path.local == "banned":
                return Reply(550, "5.7.1", "Sender refused")
            case Authenticate(credentials=credentials) if credentials.password != "secret":
                return replies.AUTH_FAILED
            case DataStarted(3):
                return replies.STORAGE_FULL
            case _:
                return None


class Player:
    def __init__(self, options: ServerOptions, *, tls: bool, piecewise: bool) -> None:
        self.conn = ServerConnection(options, tls=tls)
        self.host = Host()
        self.piecewise = piecewise
        self.lmtp = options.lmtp
        self.out = b""
        self.pump()

    def feed(self, data: bytes) -> None:
        for piece in [data[i : i + 1] for i in range(len(data))] if self.piecewise else [data]:
            self.conn.receive_data(piece)
            self.pump()

    def pump(self) -> None:
        while (event := self.conn.next_event()) is not None:
            self.host.events.append(event)
            if isinstance(event, DataEnd) and self.lmtp:
                self.out += self.conn.send([replies.MESSAGE_ACCEPTED, Reply(552, "5.2.2", "Mailbox is full")])
            elif isinstance(event, Decision):
                self.out += self.conn.send(self.host.answer(event))
        self.out += self.conn.data_to_send()


def build(settings: dict[str, str]) -> tuple[ServerOptions, bool]:
    profile = settings.pop("profile")
    name = "mx.example.org"
    options = {
        "mx": lambda: mx(name, starttls=False),
        "submission": lambda: submission(name),
        "submissions": lambda: submissions(name),
        "lmtp": lambda: lmtp(name),
    }[profile]()
    changes: dict[str, Any] = {"max_size": 1000, **{key: int(value) for key, value in settings.items()}}
    return replace(options, **changes), profile == "submissions"


def play(text: str, *, piecewise: bool) -> None:
    settings: dict[str, str] = {}
    player: Player | None = None
    group = b""
    seen = 0
    for number, line in enumerate(text.splitlines(), start=1):
        kind, rest = line[:2], line[3:]
        if not line or line.startswith("#"):
            continue
        if kind not in ("C:", "C~", "S:", "E:", "T:", "X:"):
            key, _, value = line.partition(":")
            settings[key] = value.strip()
            continue
        if player is None:
            player = start(settings, piecewise)
        if kind in ("C:", "C~"):
            assert not player.out, f"line {number}: unexpected {player.out!r}"
            raw = rest.encode("ascii").decode("unicode_escape").encode("latin-1") if kind == "C~" else b""
            group += raw or rest.encode() + b"\r\n"
            continue
        if group:
            player.feed(group)
            group = b""
        match kind:
            case "S:":
                got, end, player.out = player.out.partition(b"\r\n")
                assert got + end == f"{rest}\r\n".encode(), f"line {number}"
            case "E:":
                events = [repr(event) for event in player.host.events[seen:]]
                index = next((i for i, event in enumerate(events) if event.startswith(rest)), None)
                assert index is not None, f"line {number}: only {events}"
                seen += index + 1
            case "T:":
                player.conn.tls_established()
            case "X:":
                assert player.conn.closed, f"line {number}"
                last = player.host.events[-1]
                assert isinstance(last, Closed)
                assert last.reason.name == rest, f"line {number}"
    assert player is not None
    if group:
        player.feed(group)
    assert not player.out, f"unexpected {player.out!r}"


def start(settings: dict[str, str], piecewise: bool) -> Player:
    options, tls = build(settings)
    return Player(options, tls=tls, piecewise=piecewise)


@pytest.mark.parametrize("piecewise", [False, True], ids=["reads", "octets"])
@pytest.mark.parametrize("path", DIALOGUES, ids=lambda path: path.stem)
def test_dialogue(path: Path, piecewise: bool) -> None:
    play(path.read_text(encoding="utf-8"), piecewise=piecewise)
