"""Names sort by time, never repeat, and a child's follows from its parent's."""

import re

from hypothesis import given
from hypothesis import strategies as st

from barid_contracts.base import MailId
from barid_runtime.ids import ALPHABET, child_id, new_id, new_mail_id

PATTERN = re.compile(MailId.__metadata__[0].pattern)  # type: ignore[attr-defined]


@given(st.floats(0, 4e9), st.lists(st.floats(0, 9.99), min_size=1, max_size=50))
def test_names_grow_although_the_clock_is_corrected(start: float, offsets: list[float]) -> None:
    new_mail_id(start)
    names = [new_mail_id(start + offset) for offset in offsets]
    assert names == sorted(set(names))
    assert all(PATTERN.fullmatch(name) for name in names)


@given(st.lists(st.floats(0, 4e9), min_size=1, max_size=50))
def test_names_never_repeat_whatever_the_clock_does(times: list[float]) -> None:
    names = [new_mail_id(now) for now in times]
    assert len(names) == len(set(names))


@given(st.floats(0, 4e9))
def test_the_first_ten_characters_are_the_time_also_after_a_clock_that_was_wrong(now: float) -> None:
    new_mail_id(6e9)
    value = 0
    for character in new_mail_id(now)[:10]:
        value = value * 32 + ALPHABET.index(character)
    assert value == int(now * 1000)


def test_many_names_of_one_moment_are_all_different() -> None:
    names = [new_mail_id(1.0) for _ in range(10_000)] + [new_id() for _ in range(10_000)]
    assert len(set(names)) == len(names)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_a_child_is_named_by_parent_obligation_and_place(n: int, k: int) -> None:
    parent = new_mail_id(1_700_000_000)
    child = child_id(parent, n, k)
    assert child == child_id(parent, n, k) != parent
    assert PATTERN.fullmatch(child)
    assert child[:10] == parent[:10]
    assert child not in {child_id(parent, n, k + 1), child_id(parent, n + 1, k), child_id(child, n, k)}
