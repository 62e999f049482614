"""PREVIEW (RFC 8970): the first words of a message, made when they are asked for from the beginning of its text."""

from barid_protocols.mime.decode import text_of, text_parts

from .message_bytes import MAX_HEADER
from .stored_message import StoredMessage

MOST = 200
"""Characters (RFC 8970 §3.1: no more than 256; 200 are advised)."""

READ = 16 * 1024
"""Octets of a part that are looked at: HTML begins with kilobytes of style."""


async def preview_of(message: StoredMessage) -> str:
    """Empty for a message without text. Raises JournalError."""
    source = await message.bytes()
    header = await message.header()
    if header is None:
        header = await source.read(0, min(source.size, MAX_HEADER))
    for node in text_parts(await source.root(header)):
        end = min(node.end, node.body_start + READ)
        text = text_of(await source.read(node.body_start + source.prefix, end + source.prefix), node)
        words = " ".join(text.replace("\0", " ").split())
        if words:
            return words[:MOST]
    return ""
