"""How a mail stands in a pack. Pure: bytes in, bytes out.

A pack is one header, then records without gaps, then zeros (room written ahead) or, once sealed, the footer:

    pack header   64 bytes   `BrdP` version salt created … CRC32C
    record        lead       fixed part (98 bytes) │ key │ head │ chunk table        ← one CRC32C over all of the lead
                  body       as it came, `body_size` bytes; none if the record is EXTERNAL
    footer        see footer.py

The fixed part, little-endian:

    4  marker `BrdR`        26  mail_id              4  batch: offset of the first record of the same sync
    8  the pack's salt       4  bytes of the head    8  bytes of the body
    1  version               4  chunks in the table  32 sha256 of the body
    1  flags                                          4  CRC32C of key + head + table + the 94 bytes before
    2  bytes of the key

Invariants:

- The head is the JSON of `Accepted` without `ref`, fields at their default left out (so defaults never change within
  v1). A reader with a `BodyRef` needs one pread, from `offset` over lead and body, to have and to verify the body.
- The chunk table holds one CRC32C per CHUNK of the body, so any part of it is verified on its own.
- A record is looked for after damage by marker and salt. The salt is random per pack and never leaves it, so no
  mail can contain bytes that are taken for a record.
- Records of a batch were synced together, after all batches before were durable: so only records of the last batch
  of a pack can be torn.
- `key_size` and KEYED are room for a wrapped per-message key; nothing writes them yet.
"""

import struct
from dataclasses import dataclass
from hashlib import sha256

import google_crc32c

from barid_contracts.mail import Accepted, BodyRef

from .port import CHUNK, BodyCorrupt

PACK_MARKER = b"BrdP"
RECORD_MARKER = b"BrdR"
OBJECT_MARKER = b"BrdO"
VERSION = 1

EXTERNAL = 1
"""The body stands in an object of its own, `objects/<mail_id>`."""
KEYED = 2
"""Reserved: the body is enciphered under the key that the record carries, wrapped."""

MAX_HEAD = 4 * 1024 * 1024
"""Bytes of a head: 10,000 recipients and a capped header block fit; it must fit one message of the bus (8 MB)."""

MAX_OBLIGATIONS = 0xFFFF
"""Of one mail: what the footer can count. Doors refuse long before."""

SALT = 8

crc32c = google_crc32c.value
_extend = google_crc32c.extend

_pack_header = struct.Struct("<4sHH8sQ36xI")
_fixed = struct.Struct("<4s8sBBH26sIIIQ32s")
_checksum = struct.Struct("<I")
_object_trailer = struct.Struct("<4sIQ32sI")  # and a checksum of these

PACK_HEADER = _pack_header.size
FIXED = _fixed.size + _checksum.size
OBJECT_TRAILER = _object_trailer.size + _checksum.size

_serializer = Accepted.__pydantic_serializer__


@dataclass(frozen=True, slots=True)
class Lead:
    """All that stands before a body. size: bytes of the lead itself."""

    mail_id: str
    flags: int
    batch: int
    size: int
    body_size: int
    head: bytes
    table: bytes
    sha256: bytes

    @property
    def external(self) -> bool:
        return bool(self.flags & EXTERNAL)

    @property
    def extent(self) -> int:
        """Bytes of the whole record in its pack."""
        return self.size if self.flags & EXTERNAL else self.size + self.body_size

    def ref(self, pack: str, offset: int) -> BodyRef:
        """Where the body is, for a record that stands at `offset` of `pack`."""
        if self.flags & EXTERNAL:
            return object_ref(self.mail_id, self.body_size)
        return BodyRef(pack=pack, offset=offset, head=self.size, size=self.body_size)


def object_ref(mail_id: str, size: int) -> BodyRef:
    return BodyRef(pack=f"objects/{mail_id}", offset=0, head=0, size=size)


def encode_head(mail: Accepted) -> bytes:
    """JSON of the mail without `ref`. 4 µs for a usual mail; `exclude` would add 1.3, so it is asked for only if
    there is a `ref` to leave out."""
    if mail.ref is None:
        return _serializer.to_json(mail, exclude_defaults=True)
    return _serializer.to_json(mail, exclude_defaults=True, exclude={"ref"})


def splice_ref(head: bytes, ref: BodyRef) -> bytes:
    """The accepted event: the head with its `ref` put in."""
    return b'%s,"ref":{"pack":"%s","offset":%d,"head":%d,"size":%d}}' % (
        head[:-1],
        ref.pack.encode(),
        ref.offset,
        ref.head,
        ref.size,
    )


def checksums(body: bytes) -> bytes:
    """The chunk table of a body. The C function takes only `bytes`, so chunks of a large body are copied out."""
    if len(body) <= CHUNK:
        return _checksum.pack(crc32c(body)) if body else b""
    return b"".join([_checksum.pack(crc32c(body[at : at + CHUNK])) for at in range(0, len(body), CHUNK)])


def digest(body: bytes) -> bytes:
    return sha256(body).digest()


def encode_lead(
    salt: bytes, flags: int, mail_id: str, head: bytes, table: bytes, batch: int, body_size: int, body_sha256: bytes
) -> bytes:
    """All of a record before its body."""
    fixed = _fixed.pack(
        RECORD_MARKER,
        salt,
        VERSION,
        flags,
        0,
        mail_id.encode(),
        len(head),
        len(table) >> 2,
        batch,
        body_size,
        body_sha256,
    )
    rest = head + table
    return fixed + _checksum.pack(_extend(crc32c(rest), fixed)) + rest


def lead_size(fixed: bytes) -> int | None:
    """Bytes of the lead that begins with these FIXED bytes; None if they can't be a record's. Nothing is verified."""
    if len(fixed) < FIXED or not fixed.startswith(RECORD_MARKER):
        return None
    _, _, version, _, key, _, head, chunks, _, _, _ = _fixed.unpack_from(fixed)
    if version != VERSION or head > MAX_HEAD or chunks > (MAX_HEAD >> 2):
        return None
    return FIXED + int(key) + int(head) + 4 * int(chunks)


def decode_lead(data: bytes) -> Lead:
    """Verify and take apart a whole lead (`data` may go on after it). Raises BodyCorrupt."""
    size = lead_size(data[:FIXED])
    if size is None or size > len(data):
        raise BodyCorrupt("no record stands here")
    _, _, _, flags, key, mail_id, head, _, batch, body_size, body_sha256 = _fixed.unpack_from(data)
    (stored,) = _checksum.unpack_from(data, _fixed.size)
    if _extend(crc32c(data[FIXED:size]), data[: _fixed.size]) != stored:
        raise BodyCorrupt("the lead's checksum does not match")
    start = FIXED + key
    return Lead(
        mail_id.decode("ascii", "replace"),
        flags,
        batch,
        size,
        body_size,
        data[start : start + head],
        data[start + head : size],
        body_sha256,
    )


def verify_chunks(table: bytes, data: bytes, first: int = 0) -> None:
    """`data` starts at chunk number `first` of the body and ends with a chunk or the body. Raises BodyCorrupt."""
    if len(data) <= CHUNK:
        expected = table[4 * first : 4 * first + 4]
        if data and _checksum.pack(crc32c(data)) != expected:
            raise BodyCorrupt(f"chunk {first} does not match its checksum")
        return
    for at in range(0, len(data), CHUNK):
        verify_chunks(table, data[at : at + CHUNK], first + at // CHUNK)


def encode_pack_header(salt: bytes, created_ms: int) -> bytes:
    text = _pack_header.pack(PACK_MARKER, VERSION, 0, salt, created_ms, 0)
    return text[:-4] + _checksum.pack(crc32c(text[:-4]))


def decode_pack_header(data: bytes) -> bytes | None:
    """The pack's salt; None if the header is damaged or no pack's."""
    if len(data) < PACK_HEADER or not data.startswith(PACK_MARKER):
        return None
    _, _, _, salt, _, stored = _pack_header.unpack_from(data)
    return bytes(salt) if crc32c(data[: PACK_HEADER - 4]) == stored else None


def encode_object_trailer(table: bytes, size: int, body_sha256: bytes) -> bytes:
    """What follows the body in an object of its own: the chunk table, then this."""
    text = _object_trailer.pack(OBJECT_MARKER, VERSION, size, body_sha256, crc32c(table))
    return table + text + _checksum.pack(crc32c(text))


def decode_object_table(data: bytes, size: int) -> bytes:
    """data: all that follows the body of `size` bytes in an object. Raises BodyCorrupt."""
    text, table = data[-OBJECT_TRAILER:-4], data[:-OBJECT_TRAILER]
    if len(text) != _object_trailer.size or data[-4:] != _checksum.pack(crc32c(text)):
        raise BodyCorrupt("the object's trailer is damaged")
    marker, _, body_size, _, table_checksum = _object_trailer.unpack(text)
    if marker != OBJECT_MARKER or body_size != size or crc32c(table) != table_checksum:
        raise BodyCorrupt("the object's chunk table is damaged")
    return table
