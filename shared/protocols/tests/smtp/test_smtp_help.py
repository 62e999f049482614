"""HELP names the verbs that this listener has, and no others."""

import pytest

from barid_protocols.smtp import ServerConnection
from barid_protocols.smtp.options import ServerOptions, mx, submission, submissions


@pytest.mark.parametrize(
    ("options", "verbs"),
    [
        (mx("mx.example.org", starttls=True), "EHLO HELO STARTTLS MAIL RCPT DATA"),
        (mx("mx.example.org", starttls=False), "EHLO HELO MAIL RCPT DATA"),
        (submission("mx.example.org"), "EHLO HELO STARTTLS AUTH MAIL RCPT DATA"),
        (submissions("mx.example.org"), "EHLO HELO AUTH MAIL RCPT DATA"),
    ],
)
def test_help_names_what_the_listener_has(options: ServerOptions, verbs: str) -> None:
    conn = ServerConnection(options)
    conn.next_event()
    conn.send()
    conn.receive_data(b"HELP\r\n")
    assert conn.next_event() is None
    assert conn.data_to_send().splitlines()[-3] == f"214-2.0.0 {verbs}".encode()
