"""Starts the house, and speaks HTTP with its API and SMTP with its door."""

import http.client
import itertools
import json
import signal
import smtplib
import subprocess
import sys
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from .house_program import KEY

START_SECONDS = 60.0

_serial = itertools.count(1)


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """The name of the problem, whose shape is looked at by the way (RFC 9457 §3)."""
        assert self.headers["content-type"] == "application/problem+json", self
        said = self.json
        assert said["status"] == self.status
        assert said["title"]
        return str(said["type"]).removeprefix("/problems/")


class Api:
    """key None: none is sent."""

    def __init__(self, port: int, key: str | None = KEY) -> None:
        self.port = port
        self.key = key

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **query: Any
    ) -> Answer:
        """Once, as it is. Query names may end in `_` (`from_`)."""
        given = {name.rstrip("_"): value for name, value in query.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            fields = {"Content-Type": "application/json"} | (headers or {})
            if self.key is not None:
                fields["Authorization"] = f"Bearer {self.key}"
            content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, path + (f"?{urlencode(given)}" if given else ""), content, fields)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str, **query: Any) -> Any:
        answer = self.ask("GET", path, **query)
        assert answer.status == 200, answer
        return answer.json

    def done(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.ask(method, path, body)
        assert answer.status in (200, 201, 204), answer
        return answer.json if answer.body else None


def segment(text: str) -> str:
    return quote(text, safe="")


class House:
    def __init__(self, process: subprocess.Popen[str], ports: dict[str, dict[str, int]], data: Path) -> None:
        self.process = process
        self.ports = ports
        self.data = data

    def api(self, key: str | None = KEY) -> Api:
        return Api(self.ports["admin"]["admin"], key)

    def new_domain(self) -> str:
        name = f"d{next(_serial)}.test"
        self.api().done("PUT", f"/v1/domains/{name}")
        return name

    def new_account(self, domain: str | None = None) -> str:
        address = f"user{next(_serial)}@{domain or self.new_domain()}"
        self.api().done("POST", "/v1/accounts", {"address": address, "password": "open sesame"})
        return address

    def send(self, *to: str, subject: str = "hello", sender: str = "ann@far.test", body: str = "Hi.\n") -> str:
        """The Message-ID."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sender, ", ".join(to), subject
        message["Message-ID"] = f"<{next(_serial)}@far.test>"
        message.set_content(body)
        with smtplib.SMTP("127.0.0.1", self.ports["smtp_ingress"]["smtp"], timeout=30) as smtp:
            smtp.send_message(message, sender, list(to))
        return str(message["Message-ID"])

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0
        assert self.process.stdout is not None
        self.process.stdout.close()


def start_house(data: Path) -> House:
    program = Path(__file__).with_name("house_program.py")
    with (data / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, str(program), str(data / "data")], stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (data / "log").read_text()
    return House(process, json.loads(line), data)
