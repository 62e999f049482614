"""Decisions of the API, without any I/O."""

import hashlib
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_admin.handlers.aliases import before
from barid_admin.handlers.segments import SegmentConvertor, encoded
from barid_admin.policy import cursors
from barid_admin.policy.keys import Keys, Scope, bearer
from barid_admin.policy.timeline import bracketed, children, merge
from barid_admin.policy.waiting import After, Wanted, accepted_at, parse_after
from barid_contracts.mail import BodyRef
from barid_contracts.queue import CapturedItem
from barid_contracts.trace import TraceStep
from barid_runtime.ids import new_mail_id

UNHURRIED = settings(deadline=None)
"""Other tests may keep the machine busy."""

LISTINGS = st.sampled_from(["accounts", "queue", "held"])
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@UNHURRIED
@given(LISTINGS, TEXT)
def test_a_cursor_leads_back_to_its_key(listing: str, key: str) -> None:
    cursor = cursors.encode(listing, key)
    assert cursor.isascii()
    assert not set(cursor) & set("+/=&?# ")
    assert cursors.decode(listing, cursor) == key
    with pytest.raises(ValueError, match="not a cursor"):
        cursors.decode("others", cursor)


@UNHURRIED
@given(st.one_of(TEXT, st.binary(max_size=100).map(lambda octets: octets.decode("latin-1"))))
def test_what_is_no_cursor_is_an_error_and_nothing_worse(text: str) -> None:
    try:
        key = cursors.decode("accounts", text)
    except ValueError:
        return
    assert cursors.decode("accounts", cursors.encode("accounts", key)) == key


def test_keys_open_what_they_are_for() -> None:
    def digest(key: str) -> bytes:
        return hashlib.sha256(key.encode()).digest()

    keys = Keys([digest("boss"), digest("both")], [digest("looker"), digest("both")])
    assert keys.scope_of("boss") is Scope.FULL
    assert keys.scope_of("looker") is Scope.READ
    assert keys.scope_of("both") is Scope.FULL
    assert keys.scope_of("nobody") is None
    assert keys.scope_of("") is None
    assert keys.scope_of("x" * 10_000) is None
    assert Keys([]).scope_of("") is None


@pytest.mark.parametrize(
    ("field", "key"), [("Bearer k", "k"), ("bearer  k ", "k"), ("Basic k", ""), ("k", ""), ("", ""), ("Bearer", "")]
)
def test_the_key_in_an_authorization_field(field: str, key: str) -> None:
    assert bearer(field) == key


def step(
    at: int, what: str, mail_id: str = "0" * 26, n: int | None = 0, detail: str = "", parent: str | None = None
) -> TraceStep:
    return TraceStep(at=at, mail_id=mail_id, what=what, n=n, detail=detail, parent=parent)


def test_two_owners_make_one_timeline() -> None:
    mailstore = [step(1, "accepted", n=None, detail="from <a@b.test>"), step(5, "filed"), step(5, "child", "1" * 26)]
    relay = [
        step(1, "accepted", n=None, detail="from <a@b.test>, subject 'x'"),
        step(3, "attempt", n=1),
        step(9, "relayed", n=1),
    ]
    merged = merge([*mailstore, *relay])
    assert [each.what for each in merged] == ["accepted", "attempt", "filed", "child", "relayed"]
    assert merged[0].detail == "from <a@b.test>, subject 'x'"
    assert children(merged) == ["1" * 26]


def test_causes_come_first_whatever_the_clocks_say() -> None:
    """The child's teller is behind by a second."""
    parent, child = "0" * 26, "1" * 26
    steps = [
        step(1000, "accepted", parent),
        step(1500, "filed", parent),
        step(1500, "child", child, parent=parent),
        step(600, "accepted", child, parent=parent),
        step(700, "attempt", child),
        step(800, "relayed", child),
        step(1600, "filed", parent, 1),
    ]
    assert merge(reversed(steps)) == steps


def test_who_knows_more_tells_of_the_acceptance() -> None:
    forgot = step(1, "accepted", n=None, detail="from <a@b.test>")
    knows = step(2, "accepted", n=None, detail="from <a@b.test>, subject 'x'")
    assert merge([forgot, knows]) == [knows]
    of_a_child = step(1, "accepted", n=None, parent="1" * 26)
    assert merge([of_a_child, knows]) == [of_a_child]


def test_mails_that_made_each_other_have_a_timeline() -> None:
    a, b = "0" * 26, "1" * 26
    steps = [step(1, "accepted", a), step(2, "child", b, parent=a), step(3, "child", a, parent=b)]
    assert merge(steps) == steps


NAMES = ["0" * 26, "1" * 26, "2" * 26]

STEPS = st.lists(
    st.builds(
        step,
        st.integers(0, 3),
        st.sampled_from(["accepted", "attempt", "filed", "child", "bounced"]),
        st.sampled_from(NAMES),
        st.sampled_from([None, 0, 1]),
        st.sampled_from(["", "x"]),
        st.sampled_from([None, *NAMES]),
    ),
    max_size=12,
)


@UNHURRIED
@given(STEPS, st.randoms(use_true_random=False))
def test_a_timeline_does_not_depend_on_who_answers_first(steps: list[TraceStep], random: Random) -> None:
    merged = merge(steps)
    shuffled = list(steps)
    random.shuffle(shuffled)
    assert merge(shuffled) == merged
    assert merge(merged) == merged
    assert {_told(each) for each in merged if each.what != "accepted"} == {
        _told(each) for each in steps if each.what != "accepted"
    }
    of_mails = [each for each in merged if each.what != "child"]
    for name in NAMES:
        said = [each.what for each in of_mails if each.mail_id == name]
        assert "accepted" not in said[1:]


def _told(step: TraceStep) -> str:
    return step.model_dump_json()


@UNHURRIED
@given(STEPS, st.permutations(NAMES))
def test_nothing_befalls_a_child_before_it_is_made(steps: list[TraceStep], age: list[str]) -> None:
    """A child is younger than its parent, and has one."""
    steps = [
        each.model_copy(update={"parent": age[age.index(each.mail_id) - 1]}) if each.what == "child" else each
        for each in steps
        if each.what != "child" or each.mail_id != age[0]
    ]
    merged = merge(steps)
    made = {each.mail_id for each in steps if each.what == "child"}
    born = set(NAMES) - made
    for each in merged:
        if each.what == "child":
            assert each.parent in born
            born.add(each.mail_id)
        assert each.mail_id in born


def test_message_ids_with_and_without_brackets() -> None:
    assert bracketed("a@b") == bracketed("<a@b>") == "<a@b>"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1700000000", 1_700_000_000_000),
        ("1700000000.25", 1_700_000_000_250),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000),
        ("2023-11-14T23:13:20.5+01:00", 1_700_000_000_500),
        ("2023-11-14T22:13:20", 1_700_000_000_000),
        ("1970-01-01", 0),
        ("0001-01-01T00:00:00Z", 0),
    ],
)
def test_times_to_begin_after(text: str, at: int) -> None:
    assert parse_after(text) == After(at=at)


@pytest.mark.parametrize("text", ["yesterday", "-1", "1e9", "nan", "0" * 25, "99999999999999", "2023-13-01", "٣"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        parse_after(text)


@UNHURRIED
@given(st.integers(0, 2**47), st.integers(0, 2**47))
def test_after_a_time_is_inclusive_after_a_mail_exclusive(first: int, second: int) -> None:
    mail_id = new_mail_id(max(first, second) / 1000)
    at = accepted_at(mail_id)
    assert datetime.fromtimestamp(0, UTC).timestamp() == 0
    assert After(at=at).admits(mail_id)
    assert not After(at=at + 1).admits(mail_id)
    assert not After(mail_id=mail_id).admits(mail_id)
    assert After(mail_id=mail_id).admits(new_mail_id(max(first, second) / 1000))
    assert After(mail_id=mail_id).seconds == at // 1000
    assert After().admits(mail_id)


def test_what_was_captured_fits_or_not() -> None:
    item = CapturedItem(
        mail_id=new_mail_id(1_700_000_000),
        n=0,
        reverse_path="Ann@far.test",
        address="x@else.test",
        at=1_700_000_000_000,
        subject="Straße",
        message_id="<1@far.test>",
        size=1,
        ref=BodyRef(pack="p", offset=0, head=0, size=1),
    )
    assert Wanted().matches(item)
    assert Wanted(subject="STRASSE", sender="ann@", message_id="1@FAR").matches(item)
    assert not Wanted(subject="Weg").matches(item)
    assert not Wanted(sender="bob").matches(item)
    assert not Wanted(after=After(mail_id=item.mail_id)).matches(item)


@UNHURRIED
@given(st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=1, max_size=20))
def test_what_comes_before_an_address_has_it_next(address: str) -> None:
    assert before(address) < address
    # Nothing that begins as the address does comes first.
    assert not before(address).startswith(address)


@UNHURRIED
@given(TEXT.filter(lambda text: text and "\0" not in text))
def test_any_text_may_be_a_segment(text: str) -> None:
    from urllib.parse import quote

    path = encoded(f"/v1/accounts/{quote(text, safe='')}/sieve".encode())
    assert path is not None
    *_, accounts, segment, sieve = path.split("/")
    assert (accounts, sieve) == ("accounts", "sieve")
    assert SegmentConvertor().convert(segment) == text


@UNHURRIED
@given(st.binary(max_size=50))
def test_any_octets_are_a_path_or_none(raw: bytes) -> None:
    path = encoded(raw)
    assert path is None or isinstance(path, str)
