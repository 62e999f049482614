"""The lines that final delivery puts before a message (RFC 5321 §4.4).

They are the row's own; the Received field of the door is shared by all copies and stands with the body. What a client
sees is row prefix + trace + body. Sizes and offsets that were told to a client depend on it, so the text of a row that
exists never changes.
"""


def delivery_prefix(reverse_path: str, delivered_to: str) -> str:
    """Return-Path and Delivered-To as Latin1 text. UTF-8 addresses (RFC 6532) stay UTF-8."""
    text = f"Return-Path: <{reverse_path}>\r\nDelivered-To: {delivered_to}\r\n"
    if text.isascii() and text.count("\r") == 2 and text.count("\n") == 2:
        return text
    # The door lets no line end into an address; a record that was damaged must not forge fields either.
    safe = ["".join(c for c in value if c >= " " and c != "\x7f") for value in (reverse_path, delivered_to)]
    text = f"Return-Path: <{safe[0]}>\r\nDelivered-To: {safe[1]}\r\n"
    return text.encode().decode("latin-1")
