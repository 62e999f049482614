"""The base subject of a message: what is left without the marks of replies and forwards (RFC 5256 §2.1)."""

from __future__ import annotations

import re

MAX_SUBJECT = 1000
"""Characters that are looked at: each mark is cut off by itself, which would be quadratic in a hostile subject."""

_LEADER = re.compile(r"(?:\[[^\[\]]*\]\s*)*(?:re|fwd?)\s*(?:\[[^\[\]]*\]\s*)?:\s*", re.IGNORECASE)
_BLOB = re.compile(r"\[[^\[\]]*\]\s*")


def base_subject(subject: str) -> tuple[str, bool]:
    """(base subject, folded for comparison; whether anything says that this is a reply or a forward)."""
    text = " ".join(subject[:MAX_SUBJECT].split())
    reply = False
    while True:
        cut = _without_trailer(text)
        reply = reply or len(cut) < len(text)
        text = cut
        while True:
            if match := _LEADER.match(text):
                text = text[match.end() :]
                reply = True
            elif (match := _BLOB.match(text)) and match.end() < len(text):
                text = text[match.end() :]
            else:
                break
        if text[:5].casefold() == "[fwd:" and text.endswith("]"):
            text = text[5:-1].strip()
            reply = True
            continue
        return text.casefold(), reply


def _without_trailer(text: str) -> str:
    while text[-5:].casefold() == "(fwd)":
        text = text[:-5].rstrip()
    return text.rstrip()
