"""How many connections each of several relays may have to one destination."""

from hypothesis import given, settings
from hypothesis import strategies as st

from barid_relay.policy.shares import share

names = st.sets(st.text("abcdef0123456789", min_size=1, max_size=6), min_size=1, max_size=12)


def shares(destination: str, limit: int, alive: set[str]) -> dict[str, int]:
    return {me: share(destination, limit, me, alive) for me in alive}


@settings(max_examples=100)
@given(alive=names, limit=st.integers(1, 100), destination=st.text(max_size=20))
def test_together_they_have_the_limit(alive: set[str], limit: int, destination: str) -> None:
    found = shares(destination, limit, alive)
    assert sum(found.values()) == limit
    assert max(found.values()) - min(found.values()) <= 1


@settings(max_examples=100)
@given(alive=names, destination=st.text(max_size=20))
def test_who_leaves_gives_its_place_to_one_other(alive: set[str], destination: str) -> None:
    before = shares(destination, 1, alive)
    (server,) = [me for me, each in before.items() if each]
    for gone in alive - {server}:
        assert shares(destination, 1, alive - {gone})[server] == 1


def test_over_many_destinations_all_get_as_much() -> None:
    alive = {"a", "b", "c"}
    total = dict.fromkeys(alive, 0)
    for k in range(3000):
        for me, each in shares(f"d{k}.test", 5, alive).items():
            total[me] += each
    assert all(4700 < each < 5300 for each in total.values())


def test_whom_nobody_has_heard_of_yet_dials_as_if_alone() -> None:
    assert share("d.test", 5, "new", {"a", "b"}) == 5
    assert share("d.test", 5, "a", {"a"}) == 5
