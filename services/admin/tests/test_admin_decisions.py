"""What an operator decides about mail that waits, on the real relay and the real mailstore."""

import asyncio
import time
from typing import Any

from barid_contracts.directory import ACCOUNT_GET, AccountLookup
from barid_contracts.mail import Accepted, AcceptedBatch, BodyRef, Obligation
from barid_contracts.settle import SETTLE, Settlement, SettleRequest
from barid_runtime.bus.nats import connect
from barid_runtime.bus.typed import call
from barid_runtime.ids import new_mail_id

from .house import Api, House


def queued(api: Api, address: str, state: str, within: float = 20.0) -> Any:
    """The queue's entry for the address, once it is in that state."""
    until = time.monotonic() + within
    while True:
        items = [item for item in api.get("/v1/queue", domain="slow.test")["items"] if item["address"] == address]
        if items and items[0]["state"] == state:
            return items[0]
        assert time.monotonic() < until, items
        time.sleep(0.02)


def test_deferred_mail_is_held_released_and_given_back(house: House, api: Api) -> None:
    sender = house.new_account()
    house.send("one@slow.test", subject="for later", sender=sender)
    item = queued(api, "one@slow.test", "deferred")
    assert (item["attempts"], item["reverse_path"]) == (1, sender)
    assert item["last_error"]
    assert item["due"] > item["queued"]
    keys = {"keys": [{"mail_id": item["mail_id"], "n": item["n"]}]}
    assert api.done("POST", "/v1/queue/hold", keys) == {"changed": 1}
    queued(api, "one@slow.test", "held")
    assert api.done("POST", "/v1/queue/release", keys) == {"changed": 1}
    again = queued(api, "one@slow.test", "deferred")
    assert again["attempts"] == 2
    assert api.done("POST", "/v1/queue/retry", keys) == {"changed": 1}
    # Now it is in hand; it can be given back once it is not.
    until = time.monotonic() + 20
    while not api.done("POST", "/v1/queue/bounce", keys)["changed"]:
        assert time.monotonic() < until
        time.sleep(0.05)
    notice = api.get("/v1/wait", to=sender, within=30)
    timeline = api.get("/v1/trace", mail_id=item["mail_id"])
    said = [step["what"] for step in timeline["steps"] if step["mail_id"] == item["mail_id"]]
    assert said[0] == "accepted"
    assert said.count("attempt") >= 2
    assert said[-1] == "bounced"
    assert notice["mail_id"] in timeline["mail_ids"]
    assert ("filed", sender) in [(step["what"], step["address"]) for step in timeline["steps"]]
    assert api.ask("POST", "/v1/queue/retry", keys).json == {"changed": 0}


async def hold(house: House, address: str, count: int, *, sender: str = "ann@far.test") -> list[str]:
    """Settle mails as the MDA does when they broke it thrice; their ids."""
    bus = await connect(f"nats://127.0.0.1:{house.ports['bus']['nats']}", user="mda", password="secret", name="test")
    try:
        account = (await call(bus, ACCOUNT_GET, AccountLookup(address=address))).id
        mails = [
            Accepted(
                mail_id=new_mail_id(time.time()),
                at=int(time.time() * 1000),
                reverse_path=sender,
                obligations=[Obligation(n=0, kind="account", address=address, original=address, account=account)],
                size=10,
                subject="poison",
                ref=BodyRef(pack=f"smtp_ingress.{'0' * 26}/000001.pack", offset=0, head=100, size=10),
            )
            for _ in range(count)
        ]
        settlements = [
            Settlement(
                mail_id=mail.mail_id,
                n=0,
                account=account,
                outcome="held",
                delivered_to=address,
                reason="it broke the handler",
            )
            for mail in mails
        ]
        await call(bus, SETTLE, SettleRequest(accepted=AcceptedBatch(mails=mails), settlements=settlements))
        return [mail.mail_id for mail in mails]
    finally:
        await bus.close()


def test_held_mail_is_shown_released_and_discarded(house: House, api: Api) -> None:
    address = house.new_account()
    ids = asyncio.run(hold(house, address, 3))
    page = api.get("/v1/held", limit=2)
    rest = api.get("/v1/held", cursor=page["next"])
    items = page["items"] + rest["items"]
    assert [item["mail_id"] for item in items] == ids
    assert {(item["address"], item["reason"]) for item in items} == {(address, "it broke the handler")}
    keys = [{"mail_id": mail_id, "n": 0} for mail_id in ids]
    assert api.done("POST", "/v1/held/release", {"keys": keys[:1]}) == {"changed": 1}
    assert api.get("/v1/wait", to=address, subject="poison", within=30)["mail_id"] == ids[0]
    assert api.done("POST", "/v1/held/discard", {"all": True}) == {"changed": 2}
    assert api.get("/v1/held")["items"] == []
    steps = api.get("/v1/trace", mail_id=ids[1])["steps"]
    assert steps[-1]["what"] == "discarded"
    # Its pack was never written: the index knows it, its bytes are gone.
    assert api.ask("GET", f"/v1/messages/{ids[0]}/raw").problem == "not-found"
