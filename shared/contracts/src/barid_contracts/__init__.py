"""Events, requests and replies that Barid's services exchange, and the subjects they travel on.

Rules of this room:

- Every subject carries its version (`mail.v1.…`). Within a version fields are only added, each with a default;
  a reader ignores fields it does not know. `tests/golden/` holds one JSON text of every model that must parse for ever.
- The journal leaves out fields that stand at their default: a default never changes within a version.
- Models are data: no behaviour beyond what a reader of the JSON could derive.
- Bytes of mail (header blocks, ENVELOPE texts) travel as `Latin1`: each byte is the code point of the same number.
"""
