"""What `barid read` makes of strangers' mail."""

import time
from pathlib import Path

import pytest

from barid.letters import _shown, compose

HEAD = b"1 (UID 7 FLAGS () BODY[] {99}"


def test_what_we_compose_reads_the_same(tmp_path: Path) -> None:
    names = ["plain.txt", "mit Leerzeichen.pdf", "Grüße und noch viel mehr, " * 5 + ".png"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    message = compose("a@x.test", ["b@x.test", "c@x.test"], "Grüße", "Schön!\n", [tmp_path / name for name in names])
    shown = _shown(HEAD, message.as_bytes(policy=message.policy.clone(linesep="\r\n")))
    assert (shown["uid"], shown["subject"], shown["text"].strip()) == (7, "Grüße", "Schön!")
    assert (shown["from"], shown["to"]) == ("a@x.test", "b@x.test, c@x.test")
    assert shown["attachments"] == names


def test_plain_text_is_liked_better_than_html_and_html_better_than_nothing() -> None:
    html = b"--b\r\nContent-Type: text/html\r\n\r\n<p>rich</p>\r\n"
    plain = b"--b\r\n\r\nplain\r\n"
    top = b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"
    assert _shown(HEAD, top + html + plain + b"--b--\r\n")["text"].strip() == "plain"
    assert _shown(HEAD, top + html + b"--b--\r\n")["text"].strip() == "rich"


def test_a_picture_with_a_name_is_attached_whatever_its_disposition() -> None:
    top = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nlook\r\n"
    part = b'--b\r\nContent-Type: image/png; name="=?utf-8?q?M=C3=B6we?="\r\n\r\nx\r\n--b--\r\n'
    shown = _shown(HEAD, top + part)
    assert (shown["text"].strip(), shown["attachments"]) == ("look", ["Möwe"])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"Subject: x",
        b"Subject: =?no-such?q?x?=\r\n\r\nx",
        b"Content-Type: text/plain; charset=no-such\r\n\r\n\xff",
        b"Content-Disposition: attachment; filename*" + b"9" * 5000 + b"=x\r\n\r\n",
        b"Content-Disposition: attachment; filename*=no-such'x'%FF\r\n\r\n",
        b"Content-Disposition: attachment; filename*1*=x; filename*0=y\r\n\r\n",
    ],
)
def test_anything_is_shown(raw: bytes) -> None:
    assert _shown(HEAD, raw)["size"] == len(raw)


@pytest.mark.parametrize("value", [b"(" * 60_000, b"=?" * 30_000, b"a@b.test, " * 6_000, b'"' * 60_000])
def test_a_hostile_header_takes_no_long_time(value: bytes) -> None:
    fields = (b"From", b"To", b"Subject", b"Content-Disposition")
    began = time.process_time()
    for name in fields:
        _shown(HEAD, name + b": " + value + b"\r\n\r\nx")
    assert time.process_time() - began < 2
