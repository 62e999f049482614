"""SORT and THREAD: the order and the forests that a few written headers make."""

from dataclasses import dataclass

import pytest

from barid_protocols.imap.base_subject import base_subject
from barid_protocols.imap.commands.sort import parse
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.sorting import sorted_by
from barid_protocols.imap.threads import MAX_DEPTH, Algorithm, thread_line, threads
from barid_protocols.mime.headers import HeaderBlock


@dataclass
class Letter:
    number: int
    block: HeaderBlock
    received: int = 0
    size: int = 0


def letter(number: int, *, received: int = 0, size: int = 0, **fields: str) -> Letter:
    header = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return Letter(number, HeaderBlock(f"{header}\r\n".encode()), received or number, size)


def sort(criteria: str, *letters: Letter) -> list[int]:
    command = parse(b"t", b"SORT", Cursor(f" ({criteria}) UTF-8 ALL".encode()))
    return [each.number for each in sorted_by(command.criteria, letters)]


def thread(algorithm: Algorithm, *letters: Letter) -> str:
    return thread_line(threads(algorithm, [(each.number, each) for each in letters])).decode().strip()


@pytest.mark.parametrize(
    ("subject", "base", "reply"),
    [
        ("Hello", "hello", False),
        ("Re: Hello", "hello", True),
        ("RE : [list] hello", "hello", True),
        ("re[2]: fwd: Hello (fwd) (FWD)", "hello", True),
        ("[list] Re: [other] hello  world", "hello world", True),
        ("[list]", "[list]", False),
        ("[Fwd: Re: hello]", "hello", True),
        ("Re:", "", True),
        ("Reason: hello", "reason: hello", False),
        ("", "", False),
    ],
)
def test_base_subjects(subject: str, base: str, reply: bool) -> None:
    assert base_subject(subject) == (base, reply)


def test_a_subject_of_nothing_but_marks_costs_little() -> None:
    assert base_subject("re:" * 100_000)[1]


def test_sort_keys() -> None:
    first = letter(
        1, received=30, size=5, Subject="Re: b", From="Zoe <a@x>", To="z@x", Date="Tue, 1 Sep 2026 12:00:00 +0000"
    )
    second = letter(
        2, received=10, size=9, Subject="a", From="b@x", To="Al <y@x>", Date="Tue, 1 Sep 2026 12:00:00 +0300"
    )
    third = letter(3, received=20, size=5, Subject="B", From="Adam <c@x>", Cc="k@x")
    assert sort("ARRIVAL", first, second, third) == [2, 3, 1]
    assert sort("SIZE", first, second, third) == [1, 3, 2]
    assert sort("REVERSE SIZE", first, second, third) == [2, 1, 3]
    assert sort("SUBJECT REVERSE ARRIVAL", first, second, third) == [2, 1, 3]
    assert sort("FROM", first, second, third) == [1, 2, 3]
    assert sort("DISPLAYFROM", first, second, third) == [3, 2, 1]
    assert sort("TO", first, second, third) == [3, 2, 1]
    assert sort("DISPLAYTO", first, second, third) == [3, 2, 1]
    assert sort("CC", first, second, third) == [1, 2, 3]
    # Without a Date the day of arrival counts.
    assert sort("DATE", first, second, third) == [3, 2, 1]


def test_threads_by_subject() -> None:
    letters = [
        letter(1, received=50, Subject="one"),
        letter(2, received=20, Subject="two"),
        letter(3, received=60, Subject="Re: two"),
        letter(4, received=70, Subject="RE: two"),
        letter(5, received=80, Subject="Re: one"),
    ]
    assert thread(Algorithm.ORDEREDSUBJECT, *letters) == "* THREAD (2 (3)(4))(1 5)"
    assert thread(Algorithm.ORDEREDSUBJECT) == "* THREAD"


def test_threads_by_references() -> None:
    letters = [
        letter(1, Message_ID="<a@x>", Subject="plan"),
        letter(2, Message_ID="<b@x>", References="<a@x>", Subject="Re: plan"),
        letter(3, Message_ID="<c@x>", References="<a@x> <b@x>", Subject="Re: plan"),
        letter(4, Message_ID="<d@x>", In_Reply_To="<a@x>", Subject="Re: plan"),
        letter(5, Message_ID="<e@x>", Subject="other"),
    ]
    assert thread(Algorithm.REFERENCES, *letters) == "* THREAD (1 (2 3)(4))(5)"
    assert thread(Algorithm.REFERENCES, *reversed(letters)) == "* THREAD (1 (2 3)(4))(5)"


def test_two_answers_to_what_is_not_there_stand_side_by_side() -> None:
    letters = [
        letter(1, Message_ID="<b@x>", References="<gone@x>", Subject="Re: plan"),
        letter(2, Message_ID="<c@x>", References="<gone@x>", Subject="Re: plan"),
        letter(3, Message_ID="<d@x>", References="<gone@x> <lost@x> <c@x>", Subject="Re: plan"),
    ]
    assert thread(Algorithm.REFERENCES, *letters) == "* THREAD ((1)(2 3))"


def test_threads_of_one_subject_are_joined() -> None:
    assert (
        thread(
            Algorithm.REFERENCES,
            letter(1, Subject="Re: plan"),
            letter(2, Subject="plan"),
            letter(3, Subject="Fwd: plan"),
        )
        == "* THREAD (2 (1)(3))"
    )
    assert thread(Algorithm.REFERENCES, letter(1, Subject="plan"), letter(2, Subject="plan")) == "* THREAD ((1)(2))"
    assert thread(Algorithm.REFERENCES, letter(1, Subject=""), letter(2, Subject="")) == "* THREAD (1)(2)"
    assert (
        thread(
            Algorithm.REFERENCES,
            letter(1, Subject="Re: a"),
            letter(2, Subject="Re: a"),
            letter(3, Subject="Re: a"),
        )
        == "* THREAD ((1)(2)(3))"
    )


def test_references_that_go_round_are_cut() -> None:
    letters = [
        letter(1, Message_ID="<a@x>", References="<b@x>"),
        letter(2, Message_ID="<b@x>", References="<a@x>"),
        letter(3, Message_ID="<b@x>", References="<b@x> <b@x>"),
    ]
    said = thread(Algorithm.REFERENCES, *letters)
    assert sorted(number for number in said if number.isdigit()) == ["1", "2", "3"]


def test_a_chain_without_end_is_threaded_without_recursion() -> None:
    count = 3 * MAX_DEPTH
    letters = [letter(n, Message_ID=f"<{n}@x>", References=f"<{n - 1}@x>", Subject=str(n)) for n in range(1, count)]
    said = thread(Algorithm.REFERENCES, *letters)
    assert sum(word.isdigit() for word in said.replace("(", " ").replace(")", " ").split()) == count - 1
