"""Invariants of the core, whatever is sent:

1. The way bytes are cut changes neither events nor replies.
2. Nothing but the defined errors comes out of a parser; every line gets an answer, or a good-bye.
3. The server's lines are whole, and no client text gets a line of its own.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.imap.commands import PARSERS
from barid_protocols.imap.errors import ImapError
from barid_protocols.imap.grammar import Cursor

PHRASES = [
    b'a LOGIN alice "pass word"\r\n',
    b"a LOGIN {5+}\r\nalice {9+}\r\npass word\r\n",
    b"a LOGIN {5}\r\nalice wrong\r\n",
    b"b SELECT INBOX\r\n",
    b"b EXAMINE {5+}\r\ninbox\r\n",
    b"c NOOP\r\n",
    b"d APPEND INBOX {11+}\r\nhello world\r\n",
    b"d APPEND INBOX (\\Seen) {11}\r\nhello world\r\n",
    b"d APPEND Nowhere {5+}\r\nhello\r\n",
    b"d APPEND INBOX {4+}\r\nab\0d\r\n",
    b"d APPEND INBOX {4+}\r\nabcd trailing\r\n",
    b"d APPEND INBOX {2000+}\r\n" + b"x" * 2000 + b"\r\n",
    b"e FETCH 1:* (FLAGS UID)\r\n",
    b"e UID FETCH 1:* BODY.PEEK[]\r\n",
    b"f STORE 1 +FLAGS (\\Deleted)\r\n",
    b"g EXPUNGE\r\n",
    b"h IDLE\r\nDONE\r\n",
    b"h IDLE\r\nwhat\r\n",
    b"i AUTHENTICATE PLAIN\r\nAGFsaWNlAHNlY3JldA==\r\n",
    b"i AUTHENTICATE PLAIN\r\n*\r\n",
    b"j SEARCH OR SUBJECT {2+}\r\nhe UNSEEN\r\n",
    b"k WHAT {4+}\r\nabcd {2+}\r\nxx\r\n",
    b"l LOGOUT\r\n",
    b"m NOOP\n",
    b"\r\n",
    b"{3+}\r\nabc\r\n",
    b'n LIST "" {1+}\r\n*\r\n',
    b"o CREATE {3+}\r\na\r\n\r\n",
    b"p ENABLE QRESYNC\r\n",
    b"p ENABLE IMAP4rev2 UIDONLY\r\n",
    b"q SELECT INBOX (QRESYNC (1 2 1:9 (1:2 1:2)))\r\n",
    b"r UID SEARCH RETURN (SAVE MIN PARTIAL 1:2) OR $ UNSEEN\r\n",
    b"s UID SORT RETURN (ALL) (REVERSE SUBJECT DATE) UTF-8 {3+}\r\nALL\r\n",
    b"s UID THREAD REFERENCES UTF-8 ALL\r\n",
    b'u LIST (SUBSCRIBED RECURSIVEMATCH) "" (% {1+}\r\n*) RETURN (STATUS (MESSAGES))\r\n',
    b"v UID FETCH 1:* (FLAGS BINARY.SIZE[1] PREVIEW) (CHANGEDSINCE 1 VANISHED PARTIAL -1:-2)\r\n",
    b"w APPEND INBOX ~{4+}\r\na\0cd\r\n",
    b"x UNAUTHENTICATE\r\n",
    b'y CREATE "\xc3\xbc"\r\n',
]
scripts = st.lists(st.one_of(st.sampled_from(PHRASES), st.binary(max_size=12)), max_size=14).map(b"".join)


@settings(max_examples=100, deadline=None)
@given(script=scripts, cuts=st.lists(st.integers(0, 400), max_size=12))
def test_cutting_changes_nothing(new_host: type, script: bytes, cuts: list[int]) -> None:
    whole = new_host()
    expected = whole.feed(script)
    places = sorted({cut for cut in cuts if cut < len(script)} | {0})
    pieces = [script[start:stop] for start, stop in zip(places, [*places[1:], None], strict=True)]
    cut = new_host()
    assert b"".join(map(cut.feed, pieces)) == expected
    assert merged(cut.events) == merged(whole.events)


@settings(max_examples=40, deadline=None)
@given(script=scripts)
def test_single_bytes_change_nothing(new_host: type, script: bytes) -> None:
    whole, single = new_host(), new_host()
    assert b"".join(single.feed(script[at : at + 1]) for at in range(len(script))) == whole.feed(script)


def merged(events: list[object]) -> list[object]:
    """Events with neighbouring chunks of one message joined."""
    result: list[object] = []
    for event in events:
        if type(event).__name__ != "AppendChunk":
            result.append(event)
        elif result and isinstance(result[-1], bytes):
            result[-1] += event.data  # type: ignore[attr-defined]
        else:
            result.append(event.data)  # type: ignore[attr-defined]
    # A message that is refused midway may have been seen in part, as much as the cut allowed.
    return [event for event in result if not isinstance(event, bytes)]


SYMBOLS = [
    b" ",
    b"(",
    b")",
    b"[",
    b"]",
    b"<",
    b">",
    b'"',
    b"\\",
    b"*",
    b"%",
    b"{3+}\r\nabc",
    b"1:*",
    b"1,2",
    b"&",
    b"&-",
]
WORDS = (
    b"NIL FLAGS BODY[ BODY.PEEK[ HEADER.FIELDS OR NOT SUBJECT UID MODSEQ CHARSET +FLAGS \\Seen INBOX ALL BEFORE".split()
)
PHRASED = [
    b"CHARSET UTF-8",
    b"(CHANGEDSINCE 1)",
    b"(UNCHANGEDSINCE 1)",
    b'"1-Jan-2000"',
    b"RETURN (COUNT)",
    b"(QRESYNC (1 2))",
    b"$",
]
tokens = st.lists(
    st.one_of(st.sampled_from([*SYMBOLS, *WORDS, *PHRASED]), st.binary(max_size=6)),
    max_size=20,
).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(sorted(PARSERS)), text=tokens, space=st.booleans())
def test_parsers_raise_nothing_but_their_own_errors(name: bytes, text: bytes, space: bool) -> None:
    try:
        command = PARSERS[name](b"t", name, Cursor((b" " if space else b"") + text))
    except ImapError as error:
        assert error.text.isascii()
        return
    assert command.name == name
    repr(command)
    assert command.enables_condstore in (True, False)


@settings(max_examples=100, deadline=None)
@given(lines=st.lists(st.binary(max_size=60).filter(lambda line: b"{" not in line and b"\n" not in line), max_size=15))
def test_every_line_is_answered_with_whole_lines(new_host: type, lines: list[bytes]) -> None:
    host = new_host()
    for line in lines:
        said = host.feed(line + b"\r\n")
        if host.conn.closing:
            break
        assert said.endswith(b"\r\n")
        assert said.count(b"\r") == said.count(b"\n") == said.count(b"\r\n")
        assert b"\0" not in said
