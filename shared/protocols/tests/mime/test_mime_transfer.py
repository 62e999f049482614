"""A transfer encoding undone piece by piece gives what it gives at once."""

import base64
import quopri

from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.mime.decode import decode_transfer
from barid_protocols.mime.transfer import MAX_LINE, TransferDecoder

ENCODED = st.one_of(
    st.binary(max_size=200).map(base64.encodebytes),
    st.binary(max_size=200).map(quopri.encodestring),
    st.text("=AF09\r\n \t.z", max_size=60).map(str.encode),
)


@settings(max_examples=100)
@given(ENCODED, st.sampled_from(["base64", "quoted-printable", "8bit"]), st.integers(1, 40))
def test_pieces_give_the_whole(data: bytes, encoding: str, size: int) -> None:
    decoder = TransferDecoder(encoding)
    pieces = [decoder.feed(data[at : at + size]) for at in range(0, len(data), size)]
    assert b"".join([*pieces, decoder.end()]) == decode_transfer(data, encoding)


def test_a_line_without_an_end_is_not_held() -> None:
    decoder = TransferDecoder("quoted-printable")
    told = decoder.feed(b"x" * MAX_LINE + b"=4") + decoder.feed(b"1y\n") + decoder.end()
    assert told == b"x" * MAX_LINE + b"Ay\n"
    assert len(TransferDecoder("quoted-printable").feed(b"x" * (MAX_LINE + 1))) == MAX_LINE + 1
