"""Path segments that may hold a slash: `%2F` in an address or a script's name is not the end of the segment.

ASGI servers decode the path before anybody routes by it. `encoded` decodes it again from the raw path, with NUL in
place of `%2F`, and the convertor `segment` turns NUL into a slash.
"""

import re
from urllib.parse import unquote

from starlette.convertors import Convertor, register_url_convertor

_SLASH = re.compile(rb"%2f", re.IGNORECASE)


class SegmentConvertor(Convertor[str]):
    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return value.replace("\0", "/")

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("segment", SegmentConvertor())


def encoded(raw_path: bytes) -> str | None:
    """The path to route by. None if it can't be one: it holds NUL or is not UTF-8."""
    if b"%00" in raw_path or b"\0" in raw_path:
        return None
    try:
        return unquote(_SLASH.sub(b"%00", raw_path).decode("ascii"), errors="strict")
    except UnicodeError:
        return None
