"""Messages that nobody here wrote, against the parse that others made of them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from barid_protocols.mime.decode import decode_transfer, text_of, text_parts
from barid_protocols.mime.sections import PartNode, from_compact, single_part
from barid_protocols.mime.summary import Summary, SummaryScanner, summarize

STRICT = ("rfc", "legacy")
"""Folders of well-formed messages. Of malformed ones, more than one reading is right."""


def cases(folder: Path, *names: str) -> Iterator[tuple[str, bytes, Any]]:
    """Each message with LF and with CRLF, and what is expected of it."""
    for name in names:
        for path in sorted((folder / name).glob("*.eml")):
            content = path.read_bytes().replace(b"\r\n", b"\n")
            yield path.name, content, json.loads(path.with_suffix(".json").read_text())
            crlf = path.with_suffix(".crlf.json")
            yield path.name, content.replace(b"\n", b"\r\n"), json.loads(crlf.read_text())


def root_of(summary: Summary) -> PartNode:
    if summary.parts:
        return from_compact(summary.parts)
    return single_part(summary.body_start, summary.size, summary.header.raw)


def flattened(node: PartNode) -> list[PartNode]:
    inner = [found for child in node.children for found in flattened(child)] if node.is_multipart else []
    return [node, *inner]


def expected(parsed: Any, index: int = 0) -> list[Any]:
    part = parsed["parts"][index]
    body = part["body"]
    inner = body.get("Multipart", []) if isinstance(body, dict) else []
    return [part, *(found for child in inner for found in expected(parsed, child))]


def test_parts_stand_where_others_find_them(eml_folder: Path) -> None:
    seen = 0
    for name, message, parsed in cases(eml_folder, *STRICT):
        ours, theirs = flattened(root_of(summarize(message))), expected(parsed)
        assert [(node.header_start, node.body_start) for node in ours] == [
            (part["offset_header"], part["offset_body"]) for part in theirs
        ], name
        for node, part in zip(ours, theirs, strict=True):
            assert abs(node.end - part["offset_end"]) <= 2, name
            if isinstance(part["body"], dict) and "Binary" in part["body"]:
                content = decode_transfer(message[node.body_start : node.end], node.encoding)
                assert content == bytes(part["body"]["Binary"]), name
                seen += 1
    assert seen


def test_all_messages_stream_as_they_stand(eml_folder: Path, read_imap: Callable[[bytes], Any]) -> None:
    for name, message, _ in cases(eml_folder, *STRICT, "malformed", "thirdparty"):
        whole = summarize(message)
        for size in (37, 1000):
            scanner = SummaryScanner()
            for start in range(0, len(message), size):
                scanner.feed(message[start : start + size])
            streamed = scanner.finish()
            assert (streamed.parts, streamed.bodystructure) == (whole.parts, whole.bodystructure), name
            assert (streamed.envelope, streamed.body_start) == (whole.envelope, whole.body_start), name
        assert len(read_imap(whole.envelope)) == 10
        assert read_imap(whole.bodystructure)
        for node in text_parts(root_of(whole)):
            assert isinstance(text_of(message[node.body_start : node.end], node), str)


def test_senders_are_those_that_others_find(eml_folder: Path) -> None:
    seen = 0
    for name, message, parsed in cases(eml_folder, *STRICT):
        fields = [field for field in parsed["parts"][0]["headers"] if field["name"] == "from"]
        if len(fields) != 1 or "List" not in fields[0]["value"].get("Address", {}):
            continue
        theirs = [address["address"] for address in fields[0]["value"]["Address"]["List"]]
        ours = [address.address.decode() for address in summarize(message).header_from if address.domain]
        assert ours == [address for address in theirs if address], name
        seen += 1
    if not seen:
        pytest.fail("no sender was compared")
