"""The tree of parts: by example, by property, and beyond its limits."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.mime.bodystructure import build_bodystructure
from barid_protocols.mime.content import TEXT_PLAIN
from barid_protocols.mime.fast_path import fill_multipart
from barid_protocols.mime.headers import split_message
from barid_protocols.mime.limits import MAX_DEPTH, MAX_PARTS, MAX_PARTS_HEADERS
from barid_protocols.mime.parts import Part
from barid_protocols.mime.sections import to_compact
from barid_protocols.mime.structure import StructureScanner
from barid_protocols.mime.summary import Summary, SummaryScanner, summarize

MIXED = (
    b"Subject: walk\r\nContent-Type: multipart/mixed; boundary=outer\r\n\r\n"
    b"preamble\r\n"
    b"--outer\r\nContent-Type: multipart/alternative; boundary=outer-in\r\n\r\n"
    b"--outer-in\r\n\r\nplain\r\nwords\r\n"
    b"--outer-in\r\nContent-Type: text/html; charset=utf-8\r\nContent-Language: en, de\r\n\r\n<p>html</p>\r\n"
    b"--outer-in-- \t\r\nepilogue within\r\n"
    b"--outer\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: inner\r\nFrom: a@b\r\n\r\ninner body\r\n\r\n"
    b"--outer\r\nContent-Type: image/png; name=a b.png\r\n"
    b"Content-Disposition: attachment; filename*=utf-8''a%20b.png\r\n"
    b"Content-Transfer-Encoding: BASE64\r\nContent-ID: <1@x>\r\n\r\nAAAA\r\n"
    b"--outer--\r\nepilogue\r\n"
)


def tree(message: bytes) -> Part:
    return StructureScanner.scan(message, *split_message(message))


def streamed(message: bytes, *cuts: int) -> Summary:
    scanner, position = SummaryScanner(), 0
    for cut in cuts:
        scanner.feed(message[position : position + cut])
        position += cut
    scanner.feed(message[position:])
    return scanner.finish()


def bytewise(message: bytes) -> Summary:
    return streamed(message, *[1] * len(message))


def same(one: Summary, other: Summary) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in Summary.__slots__ if name != "header") and (
        one.header.raw == other.header.raw
    )


def kinds(part: Part) -> object:
    kind = (part.content.maintype + b"/" + part.content.subtype).decode()
    return (kind, [kinds(child) for child in part.children]) if part.children else kind


def assert_sound(part: Part, start: int, end: int) -> None:
    """Children lie within their parent, in order; every composite part has some."""
    assert start <= part.header_start <= part.body_start <= part.end <= end
    position = part.body_start
    for child in part.children:
        assert_sound(child, position, part.end)
        position = child.end
    assert bool(part.children) == (part.is_multipart or part.is_message)


def test_a_tree_of_many_kinds() -> None:
    root = tree(MIXED)
    assert kinds(root) == (
        "multipart/mixed",
        [("multipart/alternative", ["text/plain", "text/html"]), ("message/rfc822", ["text/plain"]), "image/png"],
    )
    alternative, message, image = root.children
    plain, html = alternative.children
    assert MIXED[plain.body_start : plain.end] == b"plain\r\nwords"
    assert plain.lines == 2
    assert MIXED[html.body_start : html.end] == b"<p>html</p>"
    assert html.languages == (b"en", b"de")
    assert MIXED[html.header_start : html.body_start].endswith(b"en, de\r\n\r\n")
    assert MIXED[message.body_start : message.end] == b"Subject: inner\r\nFrom: a@b\r\n\r\ninner body\r\n"
    assert message.lines == 4
    assert message.envelope.startswith(b'(NIL "inner" ((NIL NIL "a" "b"))')
    inner = message.children[0]
    assert MIXED[inner.body_start : inner.end] == b"inner body\r\n"
    assert inner.lines == 1
    assert image.encoding == b"base64"
    assert image.content.parameters == ((b"name", b"a b.png"),)
    assert image.disposition == (b"attachment", ((b"filename*", b"utf-8''a%20b.png"),))
    assert image.content_id == b"<1@x>"
    assert same(summarize(MIXED), bytewise(MIXED))


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (b"", "text/plain"),
        (b"\r\n", "text/plain"),
        (b"Content-Type: nonsense\r\n\r\nx", "text/plain"),
        (b"Content-Type: TEXT/HTML (a comment)\r\n\r\nx", "text/html"),
        (b"Content-Type: multipart/mixed\r\n\r\nno boundary", "text/plain"),
        (b"Content-Type: multipart/mixed; boundary=a\r\n\r\nno parts", ("multipart/mixed", ["text/plain"])),
        (
            b"Content-Type: multipart/mixed\r\n boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a--",
            ("multipart/mixed", ["text/plain"]),
        ),
        (b"Content-Type: message/rfc822\r\n\r\n", ("message/rfc822", ["text/plain"])),
        (
            b"Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n\r\nSubject: x\r\n\r\ny\r\n--a--\r\n",
            ("multipart/digest", [("message/rfc822", ["text/plain"])]),
        ),
        (
            b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: text/html\r\n--a\r\n--ab\r\n",
            ("multipart/mixed", ["text/html", "text/plain"]),
        ),
        (
            b'Content-Type: multipart/mixed; boundary="a b"\n\n--a b\n\nx\n--a b--\n--a b\n\nafter the end',
            ("multipart/mixed", ["text/plain"]),
        ),
        (b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a", ("multipart/mixed", ["text/plain"])),
    ],
)
def test_odd_structures(message: bytes, wanted: object) -> None:
    root = tree(message)
    assert kinds(root) == wanted
    assert_sound(root, 0, len(message))
    assert same(summarize(message), bytewise(message))


FRAGMENTS = st.sampled_from(
    [
        b"--a", b"--a--", b"--b", b"--b--", b"--ab", b"--a  ", b"--a-", b"--", b"", b"", b"text", b" fold",
        b"Subject: x",
        b"Content-Type: multipart/mixed; boundary=a",
        b"Content-Type: multipart/digest; boundary=b",
        b"Content-Type: multipart/alternative; boundary=ab",
        b"Content-Type: message/rfc822",
    ]
)  # fmt: skip
LINE_ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"])
MESSAGES = st.lists(st.tuples(FRAGMENTS, LINE_ENDS), max_size=25).map(
    lambda lines: b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"".join(a + b for a, b in lines)
)


@given(MESSAGES, st.lists(st.integers(1, 60), max_size=12))
@settings(max_examples=100, deadline=None)
def test_chunks_never_change_the_tree(message: bytes, cuts: list[int]) -> None:
    whole = summarize(message)
    assert same(whole, streamed(message, *cuts))
    assert same(whole, bytewise(message))
    assert_sound(tree(message), 0, len(message))


PLAIN_PARTS = st.lists(
    st.tuples(
        st.sampled_from([b"", b"Content-Type: text/html\r\n", b"Content-Type: multipart/mixed; boundary=b\r\n"]),
        st.sampled_from(
            [b"", b"text\r\n", b"\n", b"two\r\nlines\r\n", b"--b\r\n\r\ninner\r\n--b--\r\n", b"--a \r\n", b"--ab\r\n"]
        ),
    ),
    min_size=1,
    max_size=5,
)


@given(PLAIN_PARTS, st.sampled_from([b"--a--", b"--a--\r\n", b"--a", b"", b"\r\n"]))
@settings(max_examples=100, deadline=None)
def test_the_fast_path_and_the_scanner_agree(parts: list[tuple[bytes, bytes]], end: bytes) -> None:
    message = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n"
    message += b"".join(b"--a\r\n" + header + b"\r\n" + body for header, body in parts) + end
    block, body_start = split_message(message)
    root = Part(0, body_start, len(message))
    root.describe(block, TEXT_PLAIN)
    if fill_multipart(message, root):
        scanned = tree(message)
        assert [repr(child) for child in root.children] == [repr(child) for child in scanned.children]
    else:
        assert root.children == []


def test_the_fast_path_takes_what_is_common() -> None:
    message = MIXED.replace(b"message/rfc822", b"text/rfc822-headers")
    block, body_start = split_message(message)
    root = Part(0, body_start, len(message))
    root.describe(block, TEXT_PLAIN)
    assert fill_multipart(message, root)


def test_a_line_end_shared_by_two_delimiters() -> None:
    """The octet before the end of a part must still be there when its last line is counted."""
    message = (
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n"
        b"\r\n--a--\r\n--a--\r\n" + b"x" * 100
    )
    assert same(summarize(message), streamed(message))
    assert same(summarize(message), bytewise(message))


@given(st.binary(max_size=200), st.lists(st.integers(1, 20), max_size=8))
@settings(max_examples=60, deadline=None)
def test_noise_never_raises(message: bytes, cuts: list[int]) -> None:
    assert same(summarize(message), streamed(message, *cuts))


def depth(part: Part) -> int:
    return 1 + max(map(depth, part.children), default=0)


def count(part: Part) -> int:
    return 1 + sum(map(count, part.children))


HOSTILE = {
    "multiparts nested 5,000 deep": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(5000)
    ),
    "multiparts of one boundary, 5,000 deep": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 5000,
    "messages nested 5,000 deep": b"Content-Type: message/rfc822\r\n\r\n" * 5000,
    "50,000 parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nhi\r\n" * 50_000 + b"--b--\r\n",
    "100,000 headers": b"X-A: b\r\n" * 100_000 + b"\r\nhi",
    "part headers of 60 MB": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    + (b"--b\r\nContent-Description: " + b"x" * 15_000 + b"\r\n\r\n") * 400,
    "lines that look like delimiters": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--bx\r\n" * 500_000,
    "a digest of 20,000": b"Content-Type: multipart/digest; boundary=b\r\n\r\n" + b"--b\r\n\r\nSubject: x\r\n" * 20_000,
    "one endless header line": b"Subject: " + b"x" * 1_000_000,
    "folds": b"Subject: x" + b"\r\n " * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_messages_are_flattened(name: str) -> None:
    message = HOSTILE[name]
    started = time.process_time()
    summary = summarize(message)
    assert time.process_time() - started < 1
    assert len(summary.bodystructure) + len(summary.envelope) < 2 * MAX_PARTS_HEADERS + 100 * MAX_PARTS
    root = tree(message)
    assert_sound(root, 0, len(message))
    assert depth(root) <= MAX_DEPTH + 1
    assert count(root) <= MAX_PARTS
    assert same(summary, streamed(message, *[10_000] * 200))


def test_what_lies_beyond_a_limit_is_kept_as_octets() -> None:
    root = tree(HOSTILE["50,000 parts"])
    last = root.children[-1]
    assert kinds(last) == "application/octet-stream"
    assert last.end == len(HOSTILE["50,000 parts"])
    assert build_bodystructure(root).count(b'"text" "plain"') == MAX_PARTS - 2


def test_memory_is_bounded_while_streaming() -> None:
    scanner = StructureScanner()
    scanner.feed(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n")
    for _ in range(100):
        scanner.feed(b"0123456789abcde\n" * 1000)
        assert len(scanner._buffer) < 1000
    scanner.feed(b"--b\r\nX: ")
    for _ in range(100):
        scanner.feed(b"x" * 10_000)
        assert len(scanner._buffer) + len(scanner._kept or b"") < 40_000
    root = scanner.finish()
    assert [child.lines for child in root.children] == [99_999 + 1, 0]
    assert to_compact(root)[2] == root.end
