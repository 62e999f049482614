"""Pages of results, and what vanished, against the plain reading of their RFCs on small sets."""

from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.imap.search_returns import Page
from barid_protocols.imap.sequence import SequenceSet
from barid_protocols.imap.vanished import Resync, vanished, vanished_line

uid_sets = st.sets(st.integers(1, 30))


def members(ranges: list[tuple[int, int]]) -> list[int]:
    return [uid for low, high in ranges for uid in range(low, high + 1)]


@settings(max_examples=100)
@given(st.integers(1, 12), st.integers(1, 12), st.booleans(), st.integers(0, 10))
def test_a_page_is_counted_from_its_end(first: int, last: int, from_the_end: bool, count: int) -> None:
    results = list(range(1, count + 1))
    counted = list(reversed(results)) if from_the_end else results
    wanted = sorted(counted[min(first, last) - 1 : max(first, last)])
    page = Page(-first, -last) if from_the_end else Page(first, last)
    assert page.cut(results) == wanted
    split = [(0, count // 2), (count // 2, count)]
    assert [index + 1 for start, stop in page.cut_slices(split) for index in range(start, stop)] == wanted


@settings(max_examples=100)
@given(there=uid_sets, expunged=st.none() | uid_sets, known=st.none() | uid_sets, above=st.integers(0, 31))
def test_what_vanished_is_what_was_known_and_is_not_there(
    there: set[int], expunged: set[int] | None, known: set[int] | None, above: int
) -> None:
    uids, uidnext = sorted(there), 31
    asked = None if known is None else SequenceSet.of(known)
    found = members(vanished(uids, expunged, asked, uidnext=uidnext, above=above))
    gone = set(range(1, uidnext)) if expunged is None else expunged
    if known is not None:
        gone = gone & known
    assert found == sorted(uid for uid in gone - there if above < uid < uidnext)


def test_what_both_know_is_found_by_the_last_pair_that_agrees() -> None:
    def through(numbers: bytes, uids: bytes) -> int:
        asked = Resync(1, 1, None, SequenceSet.parse(numbers), SequenceSet.parse(uids))
        return asked.known_through([3, 5, 8, 9])

    assert through(b"1,3", b"3,8") == 8
    assert through(b"1:3", b"3,5,9") == 5
    assert through(b"2", b"3") == 0
    assert through(b"4:6", b"9:11") == 9
    assert Resync(1, 1).known_through([3]) == 0


def test_the_line_is_left_out_where_nothing_vanished() -> None:
    assert vanished_line([]) == b""
    assert vanished_line([(2, 2), (4, 6)], earlier=True) == b"* VANISHED (EARLIER) 2,4:6\r\n"
