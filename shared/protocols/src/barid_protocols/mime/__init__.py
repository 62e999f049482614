"""Messages as octets (RFC 5322, RFC 2045–2049): read once at the door, described for IMAP, never rebuilt.

``summary.summarize`` is the door of the room. Everything is linear in its input and never raises for what a message
holds; ``limits`` says where a description stops.
"""

from barid_protocols.mime.summary import Summary, SummaryScanner, summarize

__all__ = ["Summary", "SummaryScanner", "summarize"]
