"""Whatever is told in whichever order, replicas come to the same count; and the limit of one is never passed."""

from hypothesis import given, settings
from hypothesis import strategies as st

from barid_runtime.rates import sliding
from barid_runtime.rates.sliding import PERIOD, Count, Sliding

START = 1_699_999_200.0  # the begin of an hour
assert START % PERIOD == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.lists(st.tuples(st.floats(0, PERIOD / 4), st.integers(1, 5)), max_size=80))
def test_no_more_than_the_most_within_a_period_and_twice_that_within_any_hour(
    most: int, steps: list[tuple[float, int]]
) -> None:
    rates, now = Sliding("a"), START
    taken: list[tuple[float, int]] = []
    for pause, amount in steps:
        now += pause
        if rates.take([("anna", amount, most)], now) is None:
            taken.append((now, amount))
        assert rates.rate("anna", now) <= most
    for begin, _ in taken:
        assert sum(amount for at, amount in taken if at // PERIOD == begin // PERIOD) <= most
        assert sum(amount for at, amount in taken if begin <= at < begin + PERIOD) <= 2 * most


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from("xyz"), st.integers(1, 4)), max_size=40),
    st.randoms(use_true_random=False),
)
def test_news_may_be_lost_repeated_and_mixed_up(steps: list[tuple[int, str, int]], random: object) -> None:
    replicas = [Sliding(name) for name in "abc"]
    news: list[tuple[int, Count]] = []
    for which, key, amount in steps:
        assert replicas[which].take([(key, amount, 10**6)], START) is None
        period, changed = replicas[which].changes()
        news += [(period, count) for count in changed]
    heard = news + news
    random.shuffle(heard)  # type: ignore[attr-defined]
    for replica in replicas:
        for period, count in heard[: len(news)]:  # half is lost
            replica.merge(period, count, START)
    for replica in replicas:
        for other in replicas:
            for period, counts in other.all(START):
                for count in counts:
                    replica.merge(period, count, START)
    for key in "xyz":
        true = sum(amount for _, each, amount in steps if each == key)
        assert [replica.rate(key, START) for replica in replicas] == [true] * 3


def test_all_or_nothing_is_counted() -> None:
    rates = Sliding("a")
    assert rates.take([("messages", 1, 10), ("recipients", 90, 100)], START) is None
    assert rates.take([("messages", 1, 10), ("recipients", 20, 100)], START) == "recipients"
    assert rates.take([("messages", 1, 10), ("recipients", 10, 100)], START) is None
    assert (rates.rate("messages", START), rates.rate("recipients", START)) == (2, 100)


def test_an_hour_slides() -> None:
    rates = Sliding("a")
    rates.take([("anna", 100, 100)], START + PERIOD - 1)
    assert rates.take([("anna", 1, 100)], START + PERIOD) == "anna"
    assert rates.rate("anna", START + PERIOD * 1.25) == 75
    assert rates.take([("anna", 50, 100)], START + PERIOD * 1.5) is None
    assert rates.rate("anna", START + PERIOD * 3) == 0


def test_a_clock_that_is_set_back_frees_nobody() -> None:
    rates = Sliding("a")
    rates.take([("anna", 100, 100)], START)
    assert rates.take([("anna", 1, 100)], START - PERIOD) == "anna"


def test_memory_is_bounded(monkeypatch: object) -> None:
    monkeypatch.setattr(sliding, "MAX_KEYS", 10)  # type: ignore[attr-defined]
    rates = Sliding("a")
    for n in range(50):
        assert rates.take([(f"mine {n}", 1, 5)], START) is None
        rates.merge(int(START // PERIOD), Count(f"theirs {n}", "b", 1), START)
    assert [len(found) for _, found in rates.all(START)] == [10, 0]
    rates.merge(int(START // PERIOD) + 7, Count("of a wrong clock", "b", 1), START)
    assert rates.rate("of a wrong clock", START) == 0
