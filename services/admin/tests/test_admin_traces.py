"""One timeline for whatever becomes of a mail, on the real parts: what happened, in the order of causes."""

import asyncio
import time
from datetime import datetime
from typing import Any

import pytest

from .house import Api, House
from .test_admin_decisions import hold

ENDS = {"filed", "redirected", "discarded", "held", "bounced", "relayed", "captured"}


def told(api: Api, message_id: str, *wanted: str, within: float = 30.0) -> list[dict[str, Any]]:
    """The steps, once each of `wanted` is among them (as often as it is named), and every mail has its ends."""
    until = time.monotonic() + within
    while True:
        answer = api.ask("GET", "/v1/trace", message_id=message_id)
        steps: list[dict[str, Any]] = answer.json["steps"] if answer.status == 200 else []
        said = [step["what"] for step in steps]
        if all(said.count(what) >= wanted.count(what) for what in wanted):
            in_order(steps)
            return steps
        assert time.monotonic() < until, steps
        time.sleep(0.05)


def in_order(steps: list[dict[str, Any]]) -> None:
    """Causes before what they led to, each mail accepted once, and time never running backwards in one house."""
    begun: set[str] = set()
    made: set[str] = set()
    for step in steps:
        if step["what"] == "child":
            assert step["parent"] in begun, steps
            made.add(step["mail_id"])
            continue
        if step["what"] == "accepted":
            assert step["mail_id"] not in begun, steps
            begun.add(step["mail_id"])
        assert step["mail_id"] in begun, steps
        if len(begun) > 1 and step["mail_id"] != steps[0]["mail_id"]:
            assert step["mail_id"] in made, steps
    times = [datetime.fromisoformat(step["at"]) for step in steps]
    assert times == sorted(times)


def what(steps: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(step["what"], step["address"]) for step in steps]


def with_script(house: House, text: str, domain: str | None = None) -> str:
    address = house.new_account(domain)
    house.api().done("PUT", f"/v1/accounts/{address}/sieve/main", {"text": text})
    return address


def test_filed_without_a_rule(house: House, api: Api) -> None:
    bob = house.new_account()
    steps = told(api, house.send(bob, subject="plain"), "filed")
    assert what(steps) == [("accepted", ""), ("filed", bob)]
    assert [step["detail"] for step in steps] == ["from <ann@far.test>, subject 'plain'", "in INBOX"]


def test_filed_by_a_rule(house: House, api: Api) -> None:
    bob = with_script(house, 'require "fileinto";\nfileinto "Junk";')
    steps = told(api, house.send(bob), "filed")
    assert what(steps) == [("accepted", ""), ("filed", bob)]
    assert steps[1]["detail"] == "in Junk; rules: line 2: fileinto Junk"


def test_discarded_by_a_rule(house: House, api: Api) -> None:
    bob = with_script(house, "discard;")
    steps = told(api, house.send(bob), "discarded")
    assert what(steps) == [("accepted", ""), ("discarded", bob)]
    assert steps[1]["detail"] == "discarded by the script; rules: line 1: discard"


def test_redirected_within_the_house(house: House, api: Api) -> None:
    ann = house.new_account()
    bob = with_script(house, f'redirect "{ann}";')
    steps = told(api, house.send(bob), "redirected", "filed")
    assert what(steps) == [("accepted", ""), ("redirected", bob), ("child", ann), ("accepted", ""), ("filed", ann)]
    assert steps[1]["detail"] == f"to {ann}; rules: line 1: redirect {ann}"
    assert steps[3]["parent"] == steps[2]["parent"] == steps[0]["mail_id"]
    assert steps[0]["parent"] is None
    # Asked for the child alone, it still says whose it is.
    child = api.get("/v1/trace", mail_id=steps[3]["mail_id"])["steps"]
    assert [(step["what"], step["parent"]) for step in child] == [("accepted", steps[0]["mail_id"]), ("filed", None)]


def test_redirected_elsewhere_and_kept(house: House, api: Api) -> None:
    bob = with_script(house, 'require "copy"; redirect :copy "carl@taken.test";')
    steps = told(api, house.send(bob), "filed", "relayed")
    assert [each for each in what(steps) if each[0] != "attempt"] == [
        ("accepted", ""),
        ("filed", bob),
        ("child", "carl@taken.test"),
        ("accepted", ""),
        ("relayed", "carl@taken.test"),
    ]


def test_answered_by_a_vacation(house: House, api: Api) -> None:
    sender = house.new_account()
    for _ in range(5):
        # The child's id keeps its parent's time, and sorts before or after it by chance.
        bob = with_script(house, 'require "vacation"; vacation "Away.";')
        steps = told(api, house.send(bob, sender=sender), "filed", "filed")
        assert what(steps) == [("accepted", ""), ("filed", bob), ("child", sender), ("accepted", ""), ("filed", sender)]
        assert steps[2]["detail"].startswith("vacation ")
        assert steps[3]["detail"].startswith("from <>")


def test_a_forwarding_of_a_forwarding(house: House, api: Api) -> None:
    last = house.new_account()
    middle = with_script(house, f'redirect "{last}";')
    first = with_script(house, f'redirect "{middle}";')
    steps = told(api, house.send(first), "redirected", "redirected", "filed")
    assert what(steps) == [
        ("accepted", ""),
        ("redirected", first),
        ("child", middle),
        ("accepted", ""),
        ("redirected", middle),
        ("child", last),
        ("accepted", ""),
        ("filed", last),
    ]


def test_two_accounts_that_forward_to_each_other(house: House, api: Api) -> None:
    """The second visit ends it."""
    domain = house.new_domain()
    bob = house.new_account(domain)
    ann = with_script(house, f'redirect "{bob}";', domain)
    api.done("PUT", f"/v1/accounts/{bob}/sieve/main", {"text": f'redirect "{ann}";'})
    steps = told(api, house.send(ann), "redirected", "redirected", "filed")
    assert what(steps)[-3:] == [("child", ann), ("accepted", ""), ("filed", ann)]
    assert "a loop" in steps[-1]["detail"]


def test_bounced_because_the_account_is_gone(house: House, api: Api) -> None:
    """Deleted between accepting and filing: settled as delivery does then, with its notice."""
    sender, address = house.new_account(), house.new_account()
    (mail_id,) = asyncio.run(hold(house, address, 1, sender=sender))
    api.done("DELETE", f"/v1/accounts/{address}")
    api.done("POST", "/v1/held/release", {"keys": [{"mail_id": mail_id, "n": 0}]})
    api.get("/v1/wait", to=sender, within=30)
    steps = api.get("/v1/trace", mail_id=mail_id)["steps"]
    in_order(steps)
    assert [each for each in what(steps) if each[0] != "attempt"] == [
        ("accepted", ""),
        ("bounced", address),
        ("child", sender),
        ("accepted", ""),
        ("filed", sender),
    ]


def test_held_released_and_filed(house: House, api: Api) -> None:
    address = house.new_account()
    (mail_id,) = asyncio.run(hold(house, address, 1))
    steps = api.get("/v1/trace", mail_id=mail_id)["steps"]
    assert what(steps) == [("accepted", ""), ("held", address)]
    assert steps[1]["detail"] == "it broke the handler"
    api.done("POST", "/v1/held/release", {"keys": [{"mail_id": mail_id, "n": 0}]})
    api.get("/v1/wait", to=address, within=30)
    steps = api.get("/v1/trace", mail_id=mail_id)["steps"]
    assert what(steps)[0] == ("accepted", "")
    assert what(steps)[-1] == ("filed", address)


def test_relayed(house: House, api: Api) -> None:
    steps = told(api, house.send("carl@taken.test", subject="out"), "relayed")
    assert [each for each in what(steps) if each[0] != "attempt"] == [("accepted", ""), ("relayed", "carl@taken.test")]
    assert steps[0]["detail"] == "from <ann@far.test>, subject 'out'"
    assert "250" in steps[-1]["detail"]


def test_bounced_elsewhere_with_a_notice(house: House, api: Api) -> None:
    sender = house.new_account()
    steps = told(api, house.send("nobody@taken.test", sender=sender), "bounced", "filed")
    assert [each for each in what(steps) if each[0] != "attempt"] == [
        ("accepted", ""),
        ("bounced", "nobody@taken.test"),
        ("child", sender),
        ("accepted", ""),
        ("filed", sender),
    ]
    bounced = next(step for step in steps if step["what"] == "bounced")
    assert "5.1.1" in bounced["detail"]


def test_deferred(house: House, api: Api) -> None:
    steps = told(api, house.send("later@late.test"), "attempt")
    assert what(steps)[:2] == [("accepted", ""), ("attempt", "later@late.test")]
    assert not ENDS & {step["what"] for step in steps}
    api.done("POST", "/v1/queue/bounce", {"keys": [{"mail_id": steps[0]["mail_id"], "n": 0}]})


def test_captured(house: House, api: Api) -> None:
    steps = told(api, house.send("dora@else.test"), "captured")
    assert what(steps) == [("accepted", ""), ("captured", "dora@else.test")]


@pytest.mark.parametrize("turn", range(3))
def test_one_mail_to_many_kinds_of_recipient(house: House, api: Api, turn: int) -> None:
    """Each owner tells of its own; `accepted` stands once though both tell it."""
    sender = house.new_account()
    plain = house.new_account()
    away = with_script(house, 'require "vacation"; vacation "Away.";')
    onward = with_script(house, 'redirect "carl@taken.test";')
    message_id = house.send(
        plain, away, onward, "dora@else.test", "eve@taken.test", "nobody@taken.test", sender=sender, subject="to all"
    )
    wanted = ["filed"] * 4 + ["relayed"] * 2 + ["redirected", "captured", "bounced"] + ["accepted"] * 4 + ["child"] * 3
    steps = told(api, message_id, *wanted)
    parent = steps[0]["mail_id"]
    ends = {(s["what"], s["address"]) for s in steps if s["mail_id"] == parent and s["what"] in ENDS}
    assert ends == {
        ("filed", plain),
        ("filed", away),
        ("redirected", onward),
        ("captured", "dora@else.test"),
        ("relayed", "eve@taken.test"),
        ("bounced", "nobody@taken.test"),
    }
    assert len(steps) == len(wanted) + [step["what"] for step in steps].count("attempt")
    assert steps[0]["detail"] == f"from <{sender}>, subject 'to all'"
    # The order of numbers is that of the recipients, whoever owns them.
    numbers = {s["address"]: s["n"] for s in steps if s["mail_id"] == parent and s["what"] in ENDS}
    assert numbers == {
        plain: 0,
        away: 1,
        onward: 2,
        "dora@else.test": 3,
        "eve@taken.test": 4,
        "nobody@taken.test": 5,
    }
