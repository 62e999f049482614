"""Alerts and dashboard: they parse, name only what is exported, with the labels that it has, and say what to do."""

import importlib.util
import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser as promql
import pytest
import yaml

from .manifests import ROOT

MONITORING = ROOT / "deploy" / "k8s" / "components" / "monitoring"
RULES = [
    rule
    for group in yaml.safe_load((MONITORING / "rules.yaml").read_text())["spec"]["groups"]
    for rule in group["rules"]
]
PANELS = [panel for panel in json.loads((MONITORING / "dashboard.json").read_text())["panels"] if "targets" in panel]
QUERIES = [target["expr"].replace("$__rate_interval", "5m") for panel in PANELS for target in panel["targets"]]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()

FROM_THE_SCRAPE = {"pod", "le"}
"""Labels that Prometheus adds, and those of buckets."""

OF_OTHERS = {
    "kube_pod_status_ready": {"namespace", "condition"},
    "kube_pod_container_status_restarts_total": {"namespace"},
    "process_cpu_seconds_total": set(),
    "process_resident_memory_bytes": set(),
}

SHAPES = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def exported() -> dict[str, tuple[str, set[str]]]:
    """Series as Prometheus has them, by docs/metrics.md: name → kind, labels."""
    found = {name: ("gauge", labels) for name, labels in OF_OTHERS.items()}
    rows = re.findall(
        r"^\| `(barid_\w+)` \| (\w+) \| (.*?) \|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE
    )
    for name, kind, labels in rows:
        for end in SHAPES[kind]:
            found[name + end] = (kind, set(re.findall(r"`(\w+)`", labels)))
    return found


EXPORTED = exported()


def inside(node: Any) -> Iterator[Any]:
    """The expression and all in it."""
    yield node
    match node:
        case promql.AggregateExpr() | promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            yield from inside(node.expr)
        case promql.BinaryExpr():
            yield from inside(node.lhs)
            yield from inside(node.rhs)
        case promql.Call():
            for each in node.args:
                yield from inside(each)
        case promql.MatrixSelector():
            yield from inside(node.vector_selector)


def mistakes(expression: str) -> list[str]:
    """What Prometheus would be silent about: no series, a label that no series has, a rate of what may fall."""
    try:
        parsed = promql.parse(expression)
    except ValueError as error:
        return [str(error)]
    found = []
    names = {node.name for node in inside(parsed) if isinstance(node, promql.VectorSelector)}
    known = FROM_THE_SCRAPE.union(*(EXPORTED[name][1] for name in names & EXPORTED.keys()))
    for node in inside(parsed):
        match node:
            case promql.VectorSelector():
                if node.name not in EXPORTED:
                    found.append(f"nobody exports {node.name}")
                    continue
                labels = EXPORTED[node.name][1] | FROM_THE_SCRAPE
                found += [f"{node.name} has no {m.name}" for m in node.matchers.matchers if m.name not in labels]
            case promql.AggregateExpr() if node.modifier is not None:
                found += [f"no series here has {label}" for label in set(node.modifier.labels) - known]
            case promql.Call() if node.func.name in ("rate", "increase"):
                name = node.args[0].vector_selector.name
                if name.startswith("barid_") and EXPORTED.get(name, ("counter",))[0] == "gauge":
                    found.append(f"{name} is a gauge")
            case promql.Call() if node.func.name == "histogram_quantile":
                buckets = [each for each in inside(node.args[1]) if isinstance(each, promql.VectorSelector)]
                found += [f"{each.name} has no buckets" for each in buckets if not each.name.endswith("_bucket")]
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_can_come_and_says_what_to_do(rule: dict[str, Any]) -> None:
    assert mistakes(rule["expr"]) == []
    assert rule["labels"]["severity"] in ("info", "warning", "critical")
    assert rule["annotations"]["runbook"] == f"docs/operations.md, {rule['alert']}"
    assert f"| `{rule['alert']}` |" in OPERATIONS
    # A summary may only speak of what the expression leaves.
    grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", rule["expr"]))))
    assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= grouped


def test_every_runbook_line_is_of_an_alert() -> None:
    named = re.findall(r"^\| `(Barid\w+)` \|", OPERATIONS, re.MULTILINE)
    assert sorted(named) == sorted(rule["alert"] for rule in RULES)


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_of_the_dashboard_finds_something(query: str) -> None:
    assert mistakes(query) == []


def test_legends_speak_of_labels_that_are_there() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", target["expr"]))))
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= grouped, panel["title"]


def test_the_dashboard_is_what_its_code_makes() -> None:
    specification = importlib.util.spec_from_file_location("dashboard", MONITORING / "dashboard.py")
    assert specification is not None and specification.loader is not None
    code = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(code)
    assert (MONITORING / "dashboard.json").read_text() == code.text()
    places = [tuple(panel["gridPos"].values()) for panel in code.dashboard()["panels"]]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize(
    ("expression", "mistake"),
    [
        ("sum(rate(barid_relay_queued_total[5m])", "unclosed left parenthesis"),
        ("barid_no_such_thing > 1", "nobody exports barid_no_such_thing"),
        ("sum by (colour) (barid_mss_sessions)", "no series here has colour"),
        ('barid_mss_sessions{colour="red"}', "barid_mss_sessions has no colour"),
        ("rate(barid_mss_sessions[5m])", "barid_mss_sessions is a gauge"),
        ("histogram_quantile(0.9, barid_relay_dial_seconds_sum)", "barid_relay_dial_seconds_sum has no buckets"),
        ("rate(barid_mda_delivered_seconds[5m])", "nobody exports barid_mda_delivered_seconds"),
    ],
)  # fmt: skip
def test_mistakes_are_found(expression: str, mistake: str) -> None:
    assert mistakes(expression) == [mistake]
