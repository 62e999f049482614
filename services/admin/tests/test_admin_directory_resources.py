"""Domains, accounts, aliases and scripts, as an operator manages them over HTTP."""

from .house import Answer, Api, House, segment


def test_a_domain_is_made_changed_and_given_up(house: House, api: Api) -> None:
    assert api.ask("PUT", "/v1/domains/First.Test").status == 201
    assert api.ask("PUT", "/v1/domains/first.test", {"catch_all": "all@first.test"}).json == {
        "name": "first.test",
        "catch_all": "all@first.test",
    }
    assert api.get("/v1/domains/FIRST.test.")["catch_all"] == "all@first.test"
    assert "first.test" in [domain["name"] for domain in api.get("/v1/domains")["items"]]
    assert api.ask("DELETE", "/v1/domains/first.test").status == 204
    assert api.ask("DELETE", "/v1/domains/first.test").problem == "not-found"
    assert api.ask("GET", "/v1/domains/first.test").problem == "not-found"


def test_an_international_domain_is_found_by_both_its_spellings(house: House, api: Api) -> None:
    made = api.done("PUT", f"/v1/domains/{segment('bücher.test')}")
    assert made["name"] == "xn--bcher-kva.test"
    assert api.get("/v1/domains/xn--bcher-kva.test") == made


def test_a_domain_in_use_is_not_given_up(house: House, api: Api) -> None:
    address = house.new_account()
    answer = api.ask("DELETE", f"/v1/domains/{address.partition('@')[2]}")
    assert (answer.status, answer.problem) == (409, "conflict")
    assert "still has accounts" in answer.json["detail"]


def test_an_account_from_its_making_to_its_end(house: House, api: Api) -> None:
    domain = house.new_domain()
    made = api.ask("POST", "/v1/accounts", {"address": f"Bob@{domain}", "quota": 1000})
    assert made.status == 201
    assert made.headers["Location"] == f"/v1/accounts/bob@{domain}"
    assert len(made.json["password"]) == 20
    url = f"/v1/accounts/bob@{domain}"
    account = api.get(url)
    assert account == {key: value for key, value in made.json.items() if key != "password"}
    assert api.done("PATCH", url, {"enabled": False})["enabled"] is False
    assert api.done("PATCH", url, {"quota": 0}) == account | {"enabled": False, "quota": 0}
    assert api.ask("PUT", f"{url}/password", {"password": "better words"}).status == 204
    usage = api.get(f"{url}/usage")
    assert (usage["used"], usage["messages"]) == (0, 0)
    assert "INBOX" in [box["name"] for box in usage["mailboxes"]]
    assert api.ask("DELETE", url).status == 204
    for method in ("GET", "DELETE"):
        assert api.ask(method, url).problem == "not-found"
    assert api.ask("GET", f"{url}/usage").problem == "not-found"


def test_a_password_of_ones_own_is_not_told_back(house: House, api: Api) -> None:
    answer = api.ask("POST", "/v1/accounts", {"address": f"ann@{house.new_domain()}", "password": "my own secret"})
    assert answer.status == 201
    assert b"my own secret" not in answer.body


def test_what_contradicts_is_refused(house: House, api: Api) -> None:
    address = house.new_account()
    assert api.ask("POST", "/v1/accounts", {"address": address, "password": "open sesame"}).problem == "conflict"
    assert api.ask("PUT", f"/v1/aliases/{address}", {"targets": ["a@b.test"]}).problem == "conflict"
    assert api.ask("POST", "/v1/accounts", {"address": "a@nowhere.test"}).problem == "not-found"


def test_accounts_come_in_pages(house: House, api: Api) -> None:
    domain = house.new_domain()
    addresses = sorted(house.new_account(domain) for _ in range(5))
    seen, cursor, pages = [], {}, 0
    while True:
        page = api.get("/v1/accounts", domain=domain, limit=2, **cursor)
        seen += [account["address"] for account in page["items"]]
        pages += 1
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert (seen, pages) == (addresses, 3)


def test_domains_come_in_pages(house: House, api: Api) -> None:
    names = {house.new_domain() for _ in range(3)}
    first = api.get("/v1/domains", limit=1)
    rest = api.get("/v1/domains", cursor=first["next"], limit=500)
    assert len(first["items"]) == 1
    assert names <= {domain["name"] for domain in first["items"] + rest["items"]}
    assert rest["next"] is None


def test_an_alias_and_where_it_leads(house: House, api: Api) -> None:
    account = house.new_account()
    domain = account.partition("@")[2]
    url = f"/v1/aliases/all@{domain}"
    assert api.done("PUT", url, {"targets": [account, "far@else.test"]})["targets"] == [account, "far@else.test"]
    house.api().done("PUT", f"/v1/aliases/al@{domain}", {"targets": [account]})
    house.api().done("PUT", f"/v1/aliases/all-of-us@{domain}", {"targets": [account]})
    assert api.get(f"/v1/aliases/ALL@{domain}")["targets"] == [account, "far@else.test"]
    assert len(api.get("/v1/aliases", domain=domain)["items"]) == 3
    explained = api.get(f"/v1/explain/all@{domain}")
    assert explained["status"] == "local"
    assert [(target["kind"], target["address"]) for target in explained["targets"]] == [
        ("account", account),
        ("remote", "far@else.test"),
    ]
    assert explained["steps"]
    assert api.ask("DELETE", url).status == 204
    assert api.ask("GET", url).problem == "not-found"


def test_what_is_named_goes_only_with_what_names_it(house: House, api: Api) -> None:
    domain = house.new_domain()
    bob = house.new_account(domain)
    api.done("PUT", f"/v1/aliases/sales@{domain}", {"targets": [bob]})
    api.done("PUT", f"/v1/domains/{domain}", {"catch_all": bob})
    answer = api.ask("DELETE", f"/v1/accounts/{bob}")
    assert (answer.status, answer.problem) == (409, "conflict")
    assert f"alias sales@{domain}, catch-all of {domain}" in answer.json["detail"]
    assert api.ask("DELETE", f"/v1/accounts/{bob}", cascade="perhaps").problem == "invalid"
    assert api.ask("DELETE", f"/v1/accounts/{bob}", cascade="true").status == 204
    assert api.ask("GET", f"/v1/aliases/sales@{domain}").problem == "not-found"
    assert api.get(f"/v1/domains/{domain}")["catch_all"] is None


def test_passwords_are_long_enough(house: House, api: Api) -> None:
    address = house.new_account()
    answer = api.ask("PUT", f"/v1/accounts/{address}/password", {"password": "short"})
    assert (answer.problem, answer.json["errors"][0]["pointer"]) == ("invalid", "#/password")
    assert api.ask("PUT", f"/v1/accounts/{address}/password", {"password": "x" * 64}).status == 204
    assert "login" in api.ask("PUT", f"/v1/accounts/{address}/password", {"password": address}).json["detail"]


def test_a_user_changes_their_own_password(house: House, api: Api) -> None:
    address = house.new_account()
    api.done("PUT", f"/v1/accounts/{address}/password", {"password": "the old one"})
    user = house.api(None)

    def change(old: str, new: str, login: str = address) -> Answer:
        return user.ask("POST", "/v1/password", {"login": login, "password": old, "new_password": new})

    said = change("the old one", "short")
    assert (said.status, said.json["detail"]) == (422, "new_password: has at least 8 characters")
    assert "the login" in change("the old one", address).json["detail"]
    assert change("the old one", "the new one").status == 204
    wrong = change("the old one", "another one")
    assert (wrong.status, wrong.problem) == (403, "forbidden")
    unknown = change("the old one", "another one", f"nobody-{address}")
    assert unknown.json == wrong.json, "nobody learns who there is"
    assert change("the new one", "the old one").status == 204
    assert user.ask("GET", "/v1/accounts").status == 401
    assert user.ask("GET", "/v1/password").status == 405
    assert user.ask("POST", "/v1/passwords", {}).status == 401


def test_an_alias_does_not_lead_in_circles(house: House, api: Api) -> None:
    domain = house.new_domain()
    bob = house.new_account(domain)
    one, two = f"one@{domain}", f"two@{domain}"
    answer = api.ask("PUT", f"/v1/aliases/{one}", {"targets": [one]})
    assert (answer.status, answer.problem) == (409, "conflict")
    assert answer.json["detail"] == f"{one} would lead back to itself and to nobody else"
    api.done("PUT", f"/v1/aliases/{one}", {"targets": [two]})
    assert api.ask("PUT", f"/v1/aliases/{two}", {"targets": [one]}).status == 409
    assert api.ask("GET", f"/v1/aliases/{two}").status == 404, "nothing of it was kept"
    api.done("PUT", f"/v1/aliases/{two}", {"targets": [one, bob]})
    assert api.get(f"/v1/explain/{one}")["status"] == "local"


def test_what_is_wrong_is_said_in_plain_words(house: House, api: Api) -> None:
    answer = api.ask("GET", "/v1/trace", mail_id="nope")
    assert answer.json["errors"] == [
        {
            "parameter": "mail_id",
            "detail": "is no id of a mail, which has 26 characters: digits and capitals without I, L, O, U",
        }
    ]
    answer = api.ask("POST", "/v1/accounts", {"address": "x@y.test", "password": "short", "quota": "1", "more": 1})
    assert {error["pointer"]: error["detail"] for error in answer.json["errors"]} == {
        "#/password": "has at least 8 characters",
        "#/quota": "must be a whole number",
        "#/more": "there is no such field",
    }
    assert api.ask("GET", "/v1/accounts", limit=0).json["errors"][0]["detail"] == "must be 1 or more"
    assert api.ask("POST", "/v1/accounts", {}).json["errors"] == [{"pointer": "#/address", "detail": "is missing"}]


def test_a_slash_is_part_of_a_name(house: House, api: Api) -> None:
    domain = house.new_domain()
    address = f"in/out@{domain}"
    api.done("POST", "/v1/accounts", {"address": address, "password": "open sesame"})
    url = f"/v1/accounts/{segment(address)}"
    assert api.get(url)["address"] == address
    api.done("PUT", f"{url}/sieve/{segment('a/b c')}", {"text": "keep;"})
    assert api.get(f"{url}/sieve/{segment('a/b c')}") == {"name": "a/b c", "active": True, "text": "keep;"}


def test_scripts_are_stored_chosen_and_deleted(house: House, api: Api) -> None:
    url = f"/v1/accounts/{house.new_account()}"
    assert api.get(f"{url}/sieve") == {"items": []}
    assert api.ask("PUT", f"{url}/sieve/one", {"text": "keep;"}).status == 201
    assert api.ask("PUT", f"{url}/sieve/one", {"text": "discard;"}).status == 200
    api.done("PUT", f"{url}/sieve/two", {"text": "keep;", "activate": False})
    assert api.get(f"{url}/sieve")["items"] == [{"name": "one", "active": True}, {"name": "two", "active": False}]
    assert api.ask("PUT", f"{url}/active-script", {"name": "two"}).status == 204
    assert api.get(f"{url}/sieve/two")["active"] is True
    assert api.ask("DELETE", f"{url}/sieve/two").status in (403, 409)
    assert api.ask("DELETE", f"{url}/active-script").status == 204
    assert api.ask("DELETE", f"{url}/sieve/two").status == 204
    assert api.ask("GET", f"{url}/sieve/two").problem == "not-found"
    assert api.ask("PUT", f"{url}/active-script", {"name": "two"}).problem == "not-found"


def test_a_script_that_does_not_compile_is_refused_with_its_line(house: House, api: Api) -> None:
    url = f"/v1/accounts/{house.new_account()}/sieve/main"
    answer = api.ask("PUT", url, {"text": 'keep;\nfileinto "x";'})
    assert (answer.status, answer.problem) == (422, "invalid")
    assert "line 2" in answer.json["detail"]
