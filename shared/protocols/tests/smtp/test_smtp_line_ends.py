"""A CR or LF that stands alone is found wherever it stands, and nothing else is taken for one."""

import re

from hypothesis import given
from hypothesis import strategies as st

from barid_protocols.smtp.data import has_bare_line_end, normalise_line_ends

_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_OCTETS = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a", b"\x85", b"\x0b", b"\x0c", b"\x00", b"\xff"])
).map(b"".join)


@given(_OCTETS | st.binary())
def test_it_is_what_the_expression_says(data: bytes) -> None:
    assert has_bare_line_end(data) is bool(_BARE.search(data))
    assert not has_bare_line_end(normalise_line_ends(data))


@given(st.integers(0, 70_000), st.sampled_from([b"\r", b"\n"]))
def test_one_in_a_long_message_is_enough(at: int, bare: bytes) -> None:
    message = b"x" * 62 + b"\r\n"
    message *= 1_100
    assert not has_bare_line_end(message)
    inside = min(at - at % 64 + 5, len(message))
    assert has_bare_line_end(message[:inside] + bare + message[inside:])
