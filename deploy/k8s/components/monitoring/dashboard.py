"""The dashboard as code: `python deploy/k8s/components/monitoring/dashboard.py` writes dashboard.json beside it.

A row for each part of a mail's way, in its order; in each, what comes, what fails, how long it takes, what waits.
"""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

WIDTH, HEIGHT = 6, 7
"""Of a panel; the grid has 24 columns."""

Panel = tuple[str, str, list[tuple[str, str]]]
"""Title, unit, queries with their legends."""


def rate(name: str, by: str) -> str:
    return f"sum by ({by}) (rate({name}[$__rate_interval]))"


def quantile(q: float, name: str, by: str = "") -> str:
    groups = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, sum by ({groups}) (rate({name}_bucket[$__rate_interval])))"


def slowness(name: str) -> list[tuple[str, str]]:
    return [(quantile(q, name), f"p{round(q * 100)}") for q in (0.5, 0.95, 0.99)]


ROWS: list[tuple[str, list[Panel]]] = [
    (
        "Accepting mail",
        [
            ("Accepted", "cps", [(rate("barid_smtp_ingress_accepted_total", "profile"), "{{profile}}")]),
            ("Refused", "cps", [(rate("barid_smtp_ingress_refused_total", "class"), "{{class}}")]),
            ("From the message's end to durable", "s", slowness("barid_smtp_ingress_append_seconds")),
            ("Connections", "short", [("sum by (pod) (barid_smtp_ingress_connections)", "{{pod}}")]),
        ],
    ),
    (
        "Journal",
        [
            ("Mails made durable", "cps", [(rate("barid_journal_mails_total", "service"), "{{service}}")]),
            (
                "Mails a sync or PUT",
                "short",
                [(quantile(0.5, "barid_journal_batch_mails", "service"), "{{service}}")],
            ),
            (
                "PUTs",
                "s",
                [
                    (quantile(0.99, "barid_journal_put_seconds", "service"), "p99 {{service}}"),
                    (rate("barid_journal_put_retries_total", "service"), "retries/s {{service}}"),
                    (rate("barid_journal_put_failures_total", "service"), "given up/s {{service}}"),
                ],
            ),
            (
                "Free disk",
                "percentunit",
                [
                    (
                        "min by (pod, service) (barid_journal_disk_free_bytes / barid_journal_disk_size_bytes)",
                        "{{pod}} {{service}}",
                    )
                ],
            ),
        ],
    ),
    (
        "Bus",
        [
            (
                "Durable, and not on the bus yet",
                "short",
                [("max by (pod, service) (barid_journal_backlog_mails)", "{{pod}} {{service}}")],
            ),
            (
                "Batches that wait, or are in hand",
                "short",
                [
                    ("max by (consumer) (barid_bus_consumer_waiting)", "{{consumer}} waiting"),
                    ("max by (consumer) (barid_bus_consumer_in_hand)", "{{consumer}} in hand"),
                    ("max by (consumer) (barid_bus_consumer_redelivered)", "{{consumer}} again"),
                ],
            ),
            (
                "Leader, followers behind, connections",
                "short",
                [
                    ("max(barid_bus_stream_leader)", "leader"),
                    ("max(barid_bus_stream_followers_behind)", "followers behind"),
                    ("sum(barid_bus_connected)", "connections"),
                ],
            ),
            (
                "Slowest requests (p99)",
                "s",
                [(f"topk(5, {quantile(0.99, 'barid_bus_served_seconds', 'operation')})", "{{operation}}")],
            ),
        ],
    ),
    (
        "Delivery",
        [
            ("From 250 to filed", "s", slowness("barid_mda_delivered_seconds")),
            ("Settled", "cps", [(rate("barid_mda_settled_total", "outcome"), "{{outcome}}")]),
            (
                "Held, owed, failures",
                "short",
                [
                    ("max(barid_mailstore_held)", "held"),
                    ("sum(increase(barid_mailstore_reconciler_owed_total[15m]))", "owed in 15 min"),
                    ("sum(increase(barid_mda_failures_total[15m]))", "failures in 15 min"),
                ],
            ),
            (
                "Packs that owe, oldest child",
                "short",
                [
                    ("max(barid_mailstore_packs_unclosed)", "packs"),
                    ("max by (service) (barid_outbox_oldest_seconds)", "outbox of {{service}}, s"),
                ],
            ),
        ],
    ),
    (
        "Mail for other domains",
        [
            ("Queue", "short", [("max by (state) (barid_relay_queue_recipients)", "{{state}}")]),
            ("Overdue", "s", [("max(barid_relay_queue_overdue_seconds)", "overdue")]),
            ("Attempts", "cps", [(rate("barid_relay_attempts_total", "outcome"), "{{outcome}}")]),
            (
                "A transaction with a host",
                "s",
                [
                    (quantile(0.95, "barid_relay_transaction_seconds"), "MAIL to the last reply"),
                    (quantile(0.95, "barid_relay_dial_seconds"), "dialling"),
                ],
            ),
        ],
    ),
    (
        "Readers",
        [
            ("Sessions", "short", [("sum by (protocol) (barid_mss_sessions)", "{{protocol}}")]),
            (
                "Commands",
                "cps",
                [(f"topk(8, {rate('barid_mss_commands_total', 'protocol, command')})", "{{protocol}} {{command}}")],
            ),
            (
                "Slowest commands (p99)",
                "s",
                [(f"topk(8, {quantile(0.99, 'barid_mss_command_seconds', 'command')})", "{{command}}")],
            ),
            (
                "Log-ins",
                "cps",
                [
                    (rate("barid_mss_logins_total", "protocol, outcome"), "{{protocol}} {{outcome}}"),
                    (rate("barid_directory_logins_total", "outcome"), "directory: {{outcome}}"),
                ],
            ),
        ],
    ),
    (
        "Machinery",
        [
            (
                "Transactions (p99)",
                "s",
                [
                    (quantile(0.99, "barid_database_transaction_seconds", "database"), "{{database}}"),
                    (quantile(0.99, "barid_database_pool_wait_seconds", "database"), "{{database}} pool"),
                ],
            ),
            (
                "Transactions run again, connections lost",
                "cps",
                [
                    (rate("barid_database_retries_total", "database"), "again {{database}}"),
                    (rate("barid_bus_losses_total", "service"), "bus of {{service}}"),
                ],
            ),
            ("CPU", "percentunit", [(rate("process_cpu_seconds_total", "pod"), "{{pod}}")]),
            (
                "Lateness of the loop (p99), memory",
                "short",
                [
                    (quantile(0.99, "barid_process_loop_lag_seconds", "pod"), "s {{pod}}"),
                    ("max by (pod) (process_resident_memory_bytes) / 1e9", "GB {{pod}}"),
                ],
            ),
        ],
    ),
]


def dashboard() -> dict[str, Any]:
    panels: list[dict[str, Any]] = []
    y = 0
    for row, members in ROWS:
        panels.append({"id": len(panels) + 1, "type": "row", "title": row, "gridPos": _at(0, y, 24, 1), "panels": []})
        y += 1
        for number, (title, unit, queries) in enumerate(members):
            panels.append(
                {
                    "id": len(panels) + 1,
                    "type": "timeseries",
                    "title": title,
                    "datasource": {"type": "prometheus", "uid": "${source}"},
                    "gridPos": _at(WIDTH * number, y, WIDTH, HEIGHT),
                    "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
                    "targets": [
                        {"refId": chr(ord("A") + n), "expr": expression, "legendFormat": legend}
                        for n, (expression, legend) in enumerate(queries)
                    ],
                }
            )
        y += HEIGHT
    return {
        "title": "Barid",
        "uid": "barid",
        "tags": ["mail"],
        "schemaVersion": 39,
        "time": {"from": "now-3h", "to": "now"},
        "refresh": "30s",
        "templating": {
            "list": [{"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]
        },
        "panels": panels,
    }


def _at(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def text() -> str:
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    (HERE / "dashboard.json").write_text(text())
