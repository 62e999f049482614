"""The tree of a message's parts, with what IMAP says of each and where its octets stand."""

from dataclasses import dataclass, field

from barid_protocols.mime.content import (
    OPAQUE,
    TEXT_PLAIN,
    ContentType,
    Parameters,
    parse_content_type,
    parse_disposition,
    parse_encoding,
    parse_languages,
    text_value,
)
from barid_protocols.mime.headers import HeaderBlock

_RARE_FIELDS = (b"content-description", b"content-md5", b"content-language", b"content-location")


@dataclass(slots=True)
class Part:
    """One part. Offsets count octets from the start of the message: header ``[header_start, body_start)``, blank
    line included, body ``[body_start, end)``.

    ``lines`` counts the body's lines, an unterminated last one too. The children of a multipart are its parts, the
    only child of a message/rfc822 is the root of the inner message, whose ``envelope`` the outer part keeps.
    """

    header_start: int = 0
    body_start: int = 0
    end: int = 0
    lines: int = 0
    content: ContentType = TEXT_PLAIN
    encoding: bytes = b"7bit"
    content_id: bytes | None = None
    description: bytes | None = None
    md5: bytes | None = None
    disposition: tuple[bytes, Parameters] | None = None
    languages: tuple[bytes, ...] = ()
    location: bytes | None = None
    envelope: bytes = b""
    children: list["Part"] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Octets of the body."""
        return self.end - self.body_start

    @property
    def is_multipart(self) -> bool:
        return self.content.maintype == b"multipart"

    @property
    def is_message(self) -> bool:
        return self.content.subtype == b"rfc822" and self.content.maintype == b"message"

    def describe(self, block: HeaderBlock, default: ContentType) -> None:
        """Take over what the part's header says."""
        value = block.raw_value
        self.content = parse_content_type(value(b"content-type"), default)
        self.encoding = parse_encoding(value(b"content-transfer-encoding"))
        if (disposition := value(b"content-disposition")) is not None:
            self.disposition = parse_disposition(disposition)
        if (content_id := value(b"content-id")) is not None:
            self.content_id = text_value(content_id)
        # What hardly any part has costs one look for all.
        if not block.isdisjoint(_RARE_FIELDS):
            self._describe_rarely(block)

    def _describe_rarely(self, block: HeaderBlock) -> None:
        self.description = text_value(block.raw_value(b"content-description"))
        self.md5 = text_value(block.raw_value(b"content-md5"))
        self.languages = parse_languages(block.raw_value(b"content-language"))
        self.location = text_value(block.raw_value(b"content-location"))

    def make_opaque(self) -> None:
        """Show the part as octets: what it holds lies beyond a limit, or cannot be taken apart."""
        self.content = OPAQUE
        self.encoding = b"8bit"
