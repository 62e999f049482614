"""The short way of usual lines and the long way of all lines are one grammar: same events, same replies."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barid_protocols.smtp import (
    BareLineEnds,
    Decision,
    Reply,
    ServerConnection,
    ServerOptions,
    interpreter,
    lmtp,
    mx,
    submission,
)

LONG = b"a" * 64
LINES = [
    b"MAIL FROM:<a@b.test>\r\n",
    b"MAIL FROM:<>\r\n",
    b"MAIL FROM:<a@b.test> SIZE=100\r\n",
    b"mail from:<a@b.test>\r\n",
    b"MAIL FROM:<a@b.test> SIZE=100 BODY=8BITMIME\r\n",
    b"MAIL FROM:<a@b.test> SIZE=999999999\r\n",
    b"MAIL FROM:<a@b",
    b"MAIL FROM:<" + LONG + b"a@b.test>\r\n",
    b"MAIL FROM:<a@b.test> BODY=X\r\n",
    b"MAIL FROM: <a@b.test>\r\n",
    b"RCPT TO:<u@c.test>\r\n",
    b"RCPT TO:<u@c.test>\r\nRCPT TO:<v@c.test>\r\n",
    b"RCPT TO:<>\r\n",
    b"RCPT TO:<u@c.test>\n",
    b"RCPT TO:<postmaster>\r\n",
    b"RCPT TO:<" + LONG + b"@" + b"b." * 96 + b"b>\r\n",
    b"DATA\r\n",
    b"DATA x\r\n",
    b"DATA \r\n",
    b"text\r\n.\r\n",
    b"RSET\r\n",
    b"EHLO h\r\n",
    b"HELO h\r\n",
    b"LHLO h\r\n",
    b"X" * 600,
    b"\r\n",
    b".test>\r\n",
]

OPTIONS = [
    replace(mx("mx.test", starttls=True), max_size=1000, max_recipients=3),
    replace(mx("mx.test", starttls=True), requires_tls=True),
    replace(submission("mx.test"), allow_plaintext_auth=True),
    replace(lmtp("mx.test"), bare_line_ends=BareLineEnds.NORMALISE),
]


def talk(options: ServerOptions, reads: list[bytes], refused: int) -> list[Any]:
    conn = ServerConnection(options)
    told: list[Any] = []
    asked = 0
    for read in [b"", b"LHLO h\r\n" if options.lmtp else b"EHLO h\r\n", *reads]:
        conn.receive_data(read)
        while (event := conn.next_event()) is not None:
            told.append(event)
            if isinstance(event, Decision):
                asked += 1
                told.append(conn.send(Reply(450, "4.0.0", "No") if asked == refused else None))
        told.append(conn.data_to_send())
    return told


@pytest.mark.parametrize("options", OPTIONS, ids=lambda each: f"{each.profile.value}-{each.requires_tls}")
@given(
    st.lists(st.sampled_from(LINES) | st.lists(st.sampled_from(LINES), max_size=5).map(b"".join), max_size=10),
    st.integers(3, 12),
)
def test_both_ways_agree(options: ServerOptions, reads: list[bytes], refused: int) -> None:
    short = talk(options, reads, refused)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interpreter, "USUAL", {})
        assert talk(options, reads, refused) == short
