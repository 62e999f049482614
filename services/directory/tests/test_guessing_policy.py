"""Who guesses waits, who mistypes does not: whatever the order and pace of failures."""

from hypothesis import given, settings
from hypothesis import strategies as st

from barid_directory.policy import guessing
from barid_directory.policy.guessing import BAN_FIRST, BAN_MOST, BANS_REMEMBERED, NOTHING, WINDOW
from barid_directory.ports import Subject, Tally
from barid_runtime.networks import network_of, range_of

START = 1_700_000_000.0
MOST = st.integers(1, 40)
PAUSES = st.lists(st.floats(0, 2 * WINDOW), max_size=120)


def times(pauses: list[float]) -> list[float]:
    now, found = START, []
    for pause in pauses:
        now += pause
        found.append(now)
    return found


@settings(max_examples=100, deadline=None)
@given(MOST, PAUSES)
def test_no_ban_without_as_many_failures_in_a_window(most: int, pauses: list[float]) -> None:
    tally, since_ban = NOTHING, []
    for now in times(pauses):
        if guessing.waits(tally, now):
            continue
        since_ban.append(now)
        tally = guessing.failed(tally, now, most)
        assert 0 <= tally.score < most
        if tally.until > now:
            assert any(
                len([each for each in since_ban if start <= each <= start + WINDOW]) >= most for start in since_ban
            ), since_ban
            since_ban = []


@settings(max_examples=100, deadline=None)
@given(MOST, st.floats(0, 0.9))
def test_a_burst_of_as_many_is_a_ban(most: int, slowness: float) -> None:
    """Also one that takes a while, as each answer waits longer than the one before."""
    tally, now = NOTHING, START
    for n in range(most):
        now = START + n * slowness * WINDOW / most / most
        assert not guessing.waits(tally, now), n
        tally = guessing.failed(tally, now, most)
    assert guessing.waits(tally, now) == BAN_FIRST


@settings(max_examples=50, deadline=None)
@given(MOST, st.integers(1, 12))
def test_who_goes_on_waits_twice_as_long_each_time_and_some_hours_at_most(most: int, rounds: int) -> None:
    tally, now, waited = NOTHING, START, []
    for _ in range(rounds):
        while not (seconds := guessing.waits(tally, now)):
            tally = guessing.failed(tally, now, most)
        waited.append(seconds)
        now = tally.until
    assert waited == [min(BAN_FIRST * 2**n, BAN_MOST) for n in range(rounds)]
    tally = guessing.faded(tally, now + BANS_REMEMBERED, most)
    assert tally == Tally(0.0, now + BANS_REMEMBERED)


@settings(max_examples=100, deadline=None)
@given(MOST, PAUSES, st.floats(0, 3 * BANS_REMEMBERED))
def test_what_is_worthless_counts_for_nothing(most: int, pauses: list[float], later: float) -> None:
    """So its row may be dropped."""
    tally = NOTHING
    for now in times(pauses):
        tally = guessing.failed(tally, now, most)
    then = guessing.worthless_at(tally) + later
    with_row, without = guessing.failed(tally, then, most), guessing.failed(NOTHING, then, most)
    assert (with_row.score, with_row.bans, with_row.until) == (without.score, without.bans, without.until)


@settings(max_examples=50, deadline=None)
@given(MOST, st.floats(-1e6, 0))
def test_a_clock_that_goes_back_frees_nobody(most: int, back: float) -> None:
    tally = Tally(most - 0.5, START, 0, 0.0)
    assert guessing.failed(tally, START + back, most).until > START + back


def test_one_program_with_an_old_password_does_not_shut_out_its_office() -> None:
    """It tries each minute, all day."""
    limits = guessing.limits_of("192.0.2.1", "192.0.2.0/24", "anna@here.test", 20)
    tallies = dict.fromkeys(limits, NOTHING)
    for minute in range(24 * 60):
        now = START + minute * 60
        if not guessing.waits(tallies[Subject("192.0.2.1", "anna@here.test")], now):
            tallies = {each: guessing.failed(tally, now, limits[each]) for each, tally in tallies.items()}
        assert not guessing.waits(tallies[Subject("192.0.2.1")], now)
        assert not guessing.waits(tallies[Subject("192.0.2.0/24")], now)


def test_what_is_counted_for_whom() -> None:
    assert guessing.limits_of("192.0.2.1", "192.0.2.0/24", "anna@here.test", 20) == {
        Subject("192.0.2.1"): 20,
        Subject("192.0.2.0/24"): 100,
        Subject("192.0.2.1", "anna@here.test"): 10,
    }
    assert guessing.limits_of("192.0.2.1", "192.0.2.0/24", None, 1) == {
        Subject("192.0.2.1"): 1,
        Subject("192.0.2.0/24"): 5,
    }


def test_networks_and_ranges_have_one_name_each() -> None:
    names = {ip: (network_of(ip), range_of(ip)) for ip in ("192.0.2.77", "::ffff:192.0.2.77", "2001:db8:1:2:3::4", "")}
    assert names == {
        "192.0.2.77": ("192.0.2.77", "192.0.2.0/24"),
        "::ffff:192.0.2.77": ("192.0.2.77", "192.0.2.0/24"),
        "2001:db8:1:2:3::4": ("2001:db8:1:2::/64", "2001:db8:1::/48"),
        "": ("", ""),
    }
