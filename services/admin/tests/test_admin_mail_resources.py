"""Mail as an operator and a test suite see it: waiting, finding, tracing, reading, capture."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from .house import Api, House


def test_waiting_ends_as_soon_as_the_mail_is_there(house: House, api: Api) -> None:
    address = house.new_account()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(api.get, "/v1/wait", to=address, subject="GREETING", within=30)
        other = pool.submit(api.ask, "GET", "/v1/wait", to=address, subject="never", within=1.5)
        time.sleep(0.3)
        assert not waiting.done()
        message_id = house.send(address, subject="A greeting")
        sent = time.monotonic()
        arrival = waiting.result(30)
        assert time.monotonic() - sent < 5
        assert other.result(30).problem == "not-in-time"
    assert (arrival["where"], arrival["mailbox"], arrival["uid"]) == ("mailbox", "INBOX", 1)
    assert (arrival["address"], arrival["message_id"]) == (address, message_id)
    raw = api.ask("GET", arrival["raw"])
    assert raw.headers["content-type"] == "message/rfc822"
    assert len(raw.body) == arrival["size"]
    assert raw.body.startswith(b"Return-Path: <ann@far.test>\r\n")
    assert raw.body.endswith(b"\r\n\r\nHi.\r\n")
    assert api.ask("GET", f"/v1/messages/{arrival['mail_id']}/raw").body == raw.body


def test_addresses_of_all_letters_lead_to_their_mail(house: House, api: Api) -> None:
    domain = house.new_domain()
    for local in ("日本", "a/b", "50%", "what?", "a#b"):
        made = api.ask("POST", "/v1/accounts", {"address": f"{local}@{domain}", "password": "open sesame"})
        assert made.status == 201, made
        assert api.get(made.headers["Location"])["address"] == f"{local}@{domain}"
        if local.isascii():
            house.send(f"{local}@{domain}")
            arrival = api.get("/v1/wait", to=f"{local}@{domain}", within=30)
            assert api.ask("GET", arrival["raw"]).status == 200, arrival


def test_what_is_there_already_is_found_at_once(house: House, api: Api) -> None:
    address = house.new_account()
    ids = [house.send(address, subject=f"number {number}") for number in range(3)]
    assert api.get("/v1/wait", to=address, message_id=ids[2], within=10)["message_id"] == ids[2]
    newest = api.get("/v1/wait", to=address, within=0)
    assert newest["message_id"] == ids[2]
    found = api.get(f"/v1/accounts/{address}/messages")["items"]
    assert [message["message_id"] for message in found] == ids[::-1]
    assert api.get(f"/v1/accounts/{address}/messages", subject="NUMBER 1")["items"] == [found[1]]
    assert api.get(f"/v1/accounts/{address}/messages", from_="nobody")["items"] == []
    assert api.get(f"/v1/accounts/{address}/messages", after=found[1]["mail_id"])["items"] == found[:1]


def test_one_after_another_with_after(house: House, api: Api) -> None:
    address = house.new_account()
    began = time.time()
    ids = [house.send(address) for _ in range(3)]
    seen: list[str] = []
    after: Any = began
    for _ in ids:
        arrival = api.get("/v1/wait", to=address, after=after, within=10)
        seen.append(arrival["message_id"])
        after = arrival["mail_id"]
    assert seen == ids
    assert api.ask("GET", "/v1/wait", to=address, after=after, within=0.1).problem == "not-in-time"
    assert api.ask("GET", "/v1/wait", to=address, after="2099-01-01T00:00:00Z", within=0.1).problem == "not-in-time"


def test_mail_for_elsewhere_is_awaited_among_what_is_captured(house: House, api: Api) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(api.get, "/v1/wait", to="carl@else.test", subject="awaited", within=30)
        time.sleep(0.3)
        message_id = house.send("carl@else.test", subject="Long awaited")
        arrival = waiting.result(30)
    assert (arrival["where"], arrival["message_id"], arrival["mailbox"]) == ("captured", message_id, None)
    raw = api.ask("GET", arrival["raw"])
    assert raw.body.endswith(b"Hi.\r\n")
    assert api.ask("GET", f"/v1/messages/{arrival['mail_id']}/raw").body == raw.body
    captured = api.get("/v1/captured", address="carl@else.test")["items"]
    assert [(item["mail_id"], item["subject"]) for item in captured] == [(arrival["mail_id"], "Long awaited")]
    assert api.get("/v1/wait", to="carl@else.test", within=0)["mail_id"] == arrival["mail_id"]
    assert api.get("/v1/captured", subject="nothing like it")["items"] == []
    assert api.done("DELETE", "/v1/captured")["changed"] >= 1
    assert api.get("/v1/captured")["items"] == []
    assert api.ask("GET", arrival["raw"]).problem == "not-found"


def test_nobody_can_wait_for_what_can_not_come(house: House, api: Api) -> None:
    domain = house.new_domain()
    answer = api.ask("GET", "/v1/wait", to=f"nobody@{domain}", within=10)
    assert (answer.status, answer.problem) == (422, "invalid")
    assert answer.json["errors"][0]["parameter"] == "to"
    assert api.ask("GET", "/v1/wait", to=f"nobody@{domain}", within=301).problem == "invalid"
    assert api.ask("GET", "/v1/wait", to=f"nobody@{domain}", after="yesterday").problem == "invalid"


def test_the_timeline_of_a_mail_with_rules_and_children(house: House, api: Api) -> None:
    domain = house.new_domain()
    bob, ann = house.new_account(domain), house.new_account(domain)
    script = f'require ["fileinto", "copy"]; fileinto "Junk"; redirect :copy "{ann}";'
    api.done("PUT", f"/v1/accounts/{bob}/sieve/main", {"text": script})
    message_id = house.send(bob, "dora@else.test", subject="to many")
    api.get("/v1/wait", to=ann, within=30)
    api.get("/v1/wait", to="dora@else.test", within=30)
    timeline = api.get("/v1/trace", message_id=message_id.strip("<>"))
    said = [(step["what"], step["address"]) for step in timeline["steps"]]
    assert said[0] == ("accepted", "")
    here = [("filed", bob), ("child", ann), ("accepted", ""), ("filed", ann)]
    assert [step for step in said[1:] if step != ("captured", "dora@else.test")] == here
    assert ("captured", "dora@else.test") in said
    assert len(timeline["mail_ids"]) == 2
    assert timeline["missing"] == timeline["more"] == []
    times = [step["at"] for step in timeline["steps"]]
    assert times == sorted(times)
    by_id = api.get("/v1/trace", mail_id=timeline["mail_ids"][0])
    assert by_id["steps"] == timeline["steps"]
    filed = next(step for step in timeline["steps"] if step["address"] == bob)
    assert "Junk" in filed["detail"]


def test_unknown_mails_have_no_timeline(house: House, api: Api) -> None:
    assert api.ask("GET", "/v1/trace", mail_id="0" * 26).problem == "not-found"
    assert api.ask("GET", "/v1/trace").problem == "invalid"
    assert api.ask("GET", "/v1/trace", mail_id="0" * 26, message_id="x").problem == "invalid"
    assert api.ask("GET", f"/v1/messages/{'0' * 26}/raw").problem == "not-found"
    assert api.ask("GET", "/v1/messages/short/raw").problem == "invalid"


def test_a_client_that_hangs_up_is_no_longer_waited_for(house: House, api: Api) -> None:
    """Many of them come and go; the API answers others all the while."""
    import socket

    address = house.new_account()
    request = f"GET /v1/wait?to={address}&within=300 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n\r\n"
    for _ in range(3):
        sockets = [socket.create_connection(("127.0.0.1", api.port)) for _ in range(20)]
        for each in sockets:
            each.sendall(request.encode())
        time.sleep(0.1)
        for each in sockets:
            each.close()
    states = {service["name"]: service["state"] for service in api.get("/v1/status")["services"]}
    assert {name for name, state in states.items() if state != "up"} == {"mss"}, "which this house has not"


def test_many_wait_for_one_mail(house: House, api: Api) -> None:
    address = house.new_account()
    results: list[Future[Any]] = []
    ready = threading.Barrier(21)

    def wait() -> Any:
        ready.wait(10)
        return api.get("/v1/wait", to=address, within=30)

    with ThreadPoolExecutor(20) as pool:
        results = [pool.submit(wait) for _ in range(20)]
        ready.wait(10)
        time.sleep(0.3)
        house.send(address)
        assert len({result.result(30)["mail_id"] for result in results}) == 1
