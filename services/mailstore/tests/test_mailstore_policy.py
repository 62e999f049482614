"""Pure decisions: flags, prefixes, events, times."""

import json

from hypothesis import given
from hypothesis import strategies as st

from barid_contracts.store import AccountChanged
from barid_mailstore.policy.changes import account_changed
from barid_mailstore.policy.flags import MAX_KEYWORDS, mask_of, translation
from barid_mailstore.policy.timeline import time_of
from barid_mailstore.policy.trace_lines import delivery_prefix
from barid_mailstore.ports.commits import AccountDelta, MailboxDelta
from barid_runtime.ids import new_mail_id

from .desk import uids, wide

words = st.text(st.characters(codec="ascii", exclude_characters="\\"), min_size=1, max_size=8)
flags = st.lists(words | st.sampled_from(["\\Seen", "\\DELETED", "\\Odd", ""]), max_size=70)


@given(flags, flags)
def test_flags_come_back_from_their_mask(first: list[str], second: list[str]) -> None:
    mask, added = mask_of(first, [], learn=True)
    assert len(added) <= MAX_KEYWORDS
    assert 0 <= mask < 1 << 63
    again, more = mask_of(first, added, learn=True)
    assert (again, more) == (mask, [])
    assert mask_of(second, added, learn=False)[1] == []


@given(st.sets(st.integers(0, 54)), st.permutations(range(55)), st.integers(0, 55))
def test_keywords_keep_their_names_when_they_move(used: set[int], order: list[int], known: int) -> None:
    source = [f"word{n}" for n in range(55)]
    target = [f"word{n}" for n in order[:known]]
    mask = sum(1 << 8 + n for n in used)
    pairs, added = translation(mask, source, target)
    names = [*target, *added]
    assert {source[there - 8] for there, _ in pairs} == {source[n] for n in used}
    assert all(source[there - 8] == names[here - 8] for there, here in pairs)


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_prefix_is_two_lines_whatever_the_addresses(reverse_path: str, delivered_to: str) -> None:
    lines = delivery_prefix(reverse_path, delivered_to).encode("latin-1").split(b"\r\n")
    assert len(lines) == 3
    assert lines[0].startswith(b"Return-Path: <")
    assert lines[1].startswith(b"Delivered-To: ")
    assert not any(b"\r" in line or b"\n" in line for line in lines)


columns = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**63 - 1)), max_size=5)


@given(st.text(max_size=10), columns, columns, st.lists(st.integers(0, 2**32 - 1), max_size=4), st.lists(words))
def test_an_event_says_what_changed(
    account: str, added: list[tuple[int, int]], changed: list[tuple[int, int]], expunged: list[int], keywords: list[str]
) -> None:
    delta = MailboxDelta(7, 3, 4, expunged=expunged, keywords=keywords or None)
    for rows, numbers, values in (
        (added, delta.added, delta.added_flags),
        (changed, delta.changed, delta.changed_flags),
    ):
        numbers += [uid for uid, _ in rows]
        values += [value for _, value in rows]
    text = account_changed(AccountDelta(account.encode("utf-8", "replace").decode(), {7: delta}, names=True))
    json.loads(text)
    event = AccountChanged.model_validate_json(text)
    (change,) = event.changes
    assert (change.mailbox, change.previous, change.modseq) == (7, 3, 4)
    assert list(zip(uids(change.added), wide(change.added_flags), strict=True)) == added
    assert list(zip(uids(change.changed), wide(change.changed_flags), strict=True)) == changed
    assert wide(change.added_modseqs) == [4] * len(added)
    assert uids(change.expunged) == expunged
    assert change.keywords == (keywords or None)


@given(st.integers(0, 2**47))
def test_a_mail_id_says_its_time(ms: int) -> None:
    mail_id = new_mail_id(0)
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    prefix = "".join(digits[ms >> shift & 31] for shift in range(45, -1, -5))
    assert time_of(prefix + mail_id[10:]) == ms
