"""Octets to text, whatever their label says."""

_LABELS = {
    b"ascii": "utf-8",  # what is labelled ASCII and is not is UTF-8 today
    b"us-ascii": "utf-8",
    b"utf8": "utf-8",
    b"unknown-8bit": "utf-8",
    b"x-unknown": "utf-8",
    b"iso-8859-1": "cp1252",  # a superset in all that is printable, and what senders mean (WHATWG Encoding §4.2)
    b"latin1": "cp1252",
    b"gb2312": "gb18030",
    b"gbk": "gb18030",
    b"ks_c_5601-1987": "cp949",
    b"iso-8859-8-i": "iso-8859-8",
    b"x-sjis": "shift_jis",
    b"x-mac-roman": "mac_roman",
}

_REFUSED = frozenset(
    # Python's own codecs: no charset of mail, and some of them are quadratic.
    {"idna", "punycode", "unicode_escape", "unicode-escape", "raw_unicode_escape", "raw-unicode-escape", "undefined"}
    | {"mbcs", "oem", "utf_8_sig"}
)


def decode_charset(data: bytes, charset: bytes | None) -> str:
    """Text of ``data``. Unlabelled octets are UTF-8 or else Windows-1252; what a label cannot decode becomes U+FFFD."""
    label = (charset or b"us-ascii").strip().lower()
    codec = _LABELS.get(label) or label.decode("ascii", "replace")
    if codec in _REFUSED:
        codec = "utf-8"
    if codec != "utf-8":
        try:
            return data.decode(codec, "replace")
        except (LookupError, ValueError):
            pass
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252" if label in (b"us-ascii", b"ascii") else "utf-8", "replace")
