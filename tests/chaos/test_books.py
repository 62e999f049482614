"""The books are worth what they find: each kind of wrong is found, and what is allowed is not."""

from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import pytest

from barid_testing.mail_system import Account, MailSystem

from .books import AT_HAND, Standing, faults
from .letters import HUGE, KINDS, Kind, Letter, Place, number_of
from .load import Load
from .town import HERE, Town

TOWN = Town(*(Account(f"{name}@{HERE}", "x") for name in ("ann", "bob", "carl", "dora", "vera", "eve")))
BY_NAME = {kind.name: kind for kind in (*KINDS, HUGE)}
INBOX = Place(TOWN.ann.address, "INBOX")
SORTED = Place(TOWN.ann.address, "Sorted")
DORAS = Place(TOWN.dora.address, "INBOX")


def load_of(*letters: Letter) -> Load:
    load = Load(cast(MailSystem, None), TOWN, seed=1)
    load.letters = {letter.number: letter for letter in letters}
    return load


def letter(kind: str, fate: Any = "accepted", number: int = 0) -> Letter:
    recipients = BY_NAME[kind].recipients(number, TOWN)
    return Letter(number, BY_NAME[kind], f"s{number}@away.test", recipients, fate, recipients)


def all_of(*letters: Letter) -> Standing:
    """As if each stood where it belongs."""
    return Standing(Counter({(each.number, place): 1 for each in letters for place in each.copies(TOWN)}))


@pytest.mark.parametrize("kind", BY_NAME)
def test_a_letter_that_stands_where_it_belongs(kind: str) -> None:
    assert letter(kind).copies(TOWN)
    assert faults(all_of(letter(kind)), TOWN, load_of(letter(kind)), 0) == []


@pytest.mark.parametrize("kind", BY_NAME)
def test_a_copy_that_is_lost(kind: str) -> None:
    for key in all_of(letter(kind)).copies:
        found = all_of(letter(kind))
        del found.copies[key]
        assert faults(found, TOWN, load_of(letter(kind)), 9), key


@pytest.mark.parametrize("kind", BY_NAME)
def test_a_copy_that_stands_twice(kind: str) -> None:
    """At the foreign host that is allowed, some times for each death of the relay."""
    for number, place in all_of(letter(kind)).copies:
        found = all_of(letter(kind))
        found.copies[number, place] += 1
        assert faults(found, TOWN, load_of(letter(kind)), 0), place
        assert bool(faults(found, TOWN, load_of(letter(kind)), 1)) == (place.where != "sink")
        found.copies[number, place] += AT_HAND
        assert faults(found, TOWN, load_of(letter(kind)), 1)


def test_a_copy_where_it_was_never_sent() -> None:
    found = all_of(letter("plain"))
    found.copies[0, DORAS] += 1
    found.copies[-1, DORAS] += 1
    assert len(faults(found, TOWN, load_of(letter("plain")), 0)) == 2


@pytest.mark.parametrize("fate", ["refused", "unsent"])
def test_what_was_refused_stands_nowhere(fate: str) -> None:
    refused = letter("team", fate)
    assert faults(Standing(), TOWN, load_of(refused), 0) == []
    assert faults(all_of(refused), TOWN, load_of(refused), 0)


def test_what_was_not_answered_stands_whole_or_not_at_all() -> None:
    unknown = letter("team", "unknown")
    assert faults(Standing(), TOWN, load_of(unknown), 0) == []
    assert faults(all_of(unknown), TOWN, load_of(unknown), 0) == []
    torn = all_of(unknown)
    del torn.copies[0, INBOX]
    assert faults(torn, TOWN, load_of(unknown), 0)


def test_a_copy_that_is_not_what_was_sent() -> None:
    found = all_of(letter("plain"))
    found.damaged.append((0, INBOX))
    assert faults(found, TOWN, load_of(letter("plain")), 0)


def moved(load: Load) -> None:
    load.perhaps_moved.add(0)
    load.moved.add(0)


def perhaps(load: Load) -> None:
    load.perhaps_moved.add(0)


@pytest.mark.parametrize(
    ("done", "there", "right"),
    [
        (moved, {SORTED: 1}, True),
        (moved, {INBOX: 1}, False),
        (moved, {INBOX: 1, SORTED: 1}, False),
        (moved, {}, False),
        (perhaps, {SORTED: 1}, True),
        (perhaps, {INBOX: 1}, True),
        (perhaps, {INBOX: 1, SORTED: 1}, False),
        (perhaps, {}, False),
    ],
)
def test_a_mail_that_was_moved(done: Callable[[Load], None], there: dict[Place, int], right: bool) -> None:
    load = load_of(letter("plain"))
    done(load)
    found = Standing(Counter({(0, place): times for place, times in there.items()}), {(0, SORTED): "(\\Flagged)"})
    assert (faults(found, TOWN, load, 0) == []) == right


def test_a_flag_that_was_forgotten() -> None:
    load = load_of(letter("plain"))
    moved(load)
    assert faults(Standing(Counter({(0, SORTED): 1}), {(0, SORTED): "(\\Seen)"}), TOWN, load, 0)


def test_a_mail_that_was_expunged() -> None:
    load = load_of(letter("anyone"))
    load.perhaps_expunged.add(0)
    assert faults(Standing(), TOWN, load, 0) == []
    assert faults(all_of(letter("anyone")), TOWN, load, 0) == []
    load.expunged.add(0)
    assert faults(Standing(), TOWN, load, 0) == []
    assert faults(all_of(letter("anyone")), TOWN, load, 0)


@pytest.mark.parametrize("kind", [*KINDS, HUGE], ids=lambda kind: kind.name)
def test_letters_tell_their_number_and_are_never_alike(kind: Kind) -> None:
    one, other = letter(kind.name, number=1), letter(kind.name, number=2)
    assert number_of(one.raw) == 1
    assert number_of(b"Received: x\r\nSubject: Auto: n00000002 vacation\r\n") == 2
    assert one.raw != other.raw
    assert len(one.raw) > kind.size
