"""The API describes itself, completely, and does what it says."""

from typing import Any

import pytest

from .house import Api, House

VALUES = {
    "address": "nobody@here.test",
    "name": "here.test",
    "mail_id": "0" * 26,
    "mailbox_id": "1",
    "uid": "1",
    "action": "retry",
}


@pytest.fixture(scope="module")
def description(house: House) -> Any:
    return house.api(None).get("/openapi.json")


def operations(description: Any) -> list[tuple[str, str, Any]]:
    return [
        (method.upper(), path, operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_operation_is_described(description: Any) -> None:
    found = operations(description)
    assert len(found) >= 35
    names = [operation["operationId"] for _, _, operation in found]
    assert len(set(names)) == len(names)
    for method, path, operation in found:
        where = (method, path)
        assert operation["summary"], where
        assert "\n" not in operation["summary"], where
        assert operation["tags"], where
        responses = operation["responses"]
        assert {"401", "422", "503", "504"} <= set(responses), where
        for status, response in responses.items():
            kinds = set(response.get("content", {}))
            if int(status) >= 400:
                assert kinds == {"application/problem+json"}, where
            elif status != "204":
                assert kinds in ({"application/json"}, {"message/rfc822"}), where
                for content in response["content"].values():
                    assert content["schema"], where


def test_what_is_sent_has_an_example(description: Any) -> None:
    """Those that take a body show one of its fields; addresses and ids show their shape."""
    schemas = description["components"]["schemas"]
    for name in ("NewAccount", "AliasChange", "DomainChange", "ScriptText"):
        assert any("examples" in field for field in schemas[name]["properties"].values()), name
        assert schemas[name]["additionalProperties"] is False
    for method, path, operation in operations(description):
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path" and parameter["name"] in ("address", "mail_id"):
                assert "examples" in parameter["schema"] or "examples" in parameter, (method, path)
        if "requestBody" in operation:
            assert {"400", "411", "413", "415"} <= set(operation["responses"]), (method, path)


def test_every_reference_leads_somewhere(description: Any) -> None:
    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            found = [node["$ref"]] if "$ref" in node else []
            return found + [each for value in node.values() for each in references(value)]
        return [each for value in node for each in references(value)] if isinstance(node, list) else []

    for reference in references(description):
        node = description
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    assert description["security"] == [{"key": []}]


def test_every_get_answers_as_described(house: House, api: Api, description: Any) -> None:
    asked = 0
    for method, path, operation in operations(description):
        if method != "GET":
            continue
        query = {
            parameter["name"]: "nobody@else.test"
            for parameter in operation.get("parameters", [])
            if parameter["in"] == "query" and parameter["required"]
        }
        if path == "/v1/wait":
            query["within"] = "0"
        if path == "/v1/trace":
            query["mail_id"] = VALUES["mail_id"]
        answer = api.ask("GET", path.format(**VALUES), **query)
        asked += 1
        assert str(answer.status) in operation["responses"], (path, answer)
        if answer.status >= 400:
            assert answer.problem, path
        else:
            assert answer.headers["content-type"] in operation["responses"]["200"]["content"], path
    assert asked >= 18
