"""What a message may cost us, whatever it holds.

Nothing here is an error: beyond a limit a message is described more coarsely, and its bytes stay as they are.
"""

MAX_HEADER_BLOCK = 64 * 1024
"""Octets of a message's header that are parsed and carried in events. Long recipient lists reach 50 KB; beyond that
the rest of the header is left unparsed (it is still served to clients, from the body store)."""

MAX_PART_HEADER = 16 * 1024
"""Octets of one part's header that are parsed: file names of hundreds of characters in RFC 2231 form fit well."""

MAX_PARTS_HEADERS = 192 * 1024
"""Octets of all part headers together. It bounds the body structure, which travels on the bus and stands in a row."""

MAX_PARTS = 1_000
"""Parts of one message; digests have hundreds. The part that would be one too many holds the rest of the message."""

MAX_DEPTH = 64
"""Nesting of parts. A forward of a forward adds two; clients with recursive parsers die at some hundreds."""

MAX_DELIMITER_STEPS = 20_000
"""Lines that begin like a delimiter, real or not, times the multiparts open at each. Each costs a step in Python; a
message of nothing else must not buy seconds. Beyond it the open part holds the rest."""

MAX_BOUNDARY = 200
"""Octets of a boundary: RFC 2046 §5.1.1 says 70, some senders exceed it."""

MAX_DELIMITER_PADDING = 64
"""White space after a delimiter (RFC 2046 §5.1.1); a bound tells how far ahead one must look to know a delimiter."""

MAX_PARAMETERS = 64
"""Parameters of one content type or disposition that are kept."""

MAX_CONTENT_VALUE = 4 * 1024
"""Octets of one Content-* value that are parsed."""

MAX_ADDRESSES = 2_000
"""Addresses of one recipient field in the envelope: an address takes up to 11 times its octets there."""

MAX_ORIGINATORS = 100
"""The same for From, Sender and Reply-To, of which the envelope may hold three copies."""

MAX_ADDRESS_TOKENS = 10_000
"""Tokens of one field read by the general address grammar (1.5 µs each); common forms take a faster way."""
