"""What a running system exports is what docs/metrics.md says, by name, kind and labels; and it moves when mail does."""

import json
import re
import urllib.request
from pathlib import Path

import pytest

from barid_testing.mail_system import MailSystem

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(barid_\w+)` \| (\w+) \| (.*?) \| .+ \|$", re.MULTILINE)

Families = dict[str, str]
Samples = dict[str, float]


def documented() -> dict[str, tuple[str, set[str]]]:
    """Name → kind, labels."""
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in ROW.findall(PAGE.read_text())}


def scraped(system: MailSystem) -> tuple[Families, Samples]:
    """Of all processes: families with their kinds, and samples by name and labels."""
    families: Families = {}
    samples: Samples = {}
    for address in set(json.loads((system.data / "running.json").read_text())["health"].values()):
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        families |= dict(re.findall(r"^# TYPE (barid_\w+) (\w+)$", text, re.MULTILINE))
        for name, value in re.findall(r"^(barid_\S+) (\S+)$", text, re.MULTILINE):
            samples[name] = samples.get(name, 0.0) + float(value)
    return families, samples


def test_names_kinds_and_labels_are_as_documented(mail_system: MailSystem) -> None:
    mail_system.api.get("/v1/status")  # the API's are there once it is
    said = documented()
    families, samples = scraped(mail_system)
    assert families == {name: kind for name, (kind, _) in said.items()}
    for sample in samples:
        name, _, labels = sample.partition("{")
        family = name if name in said else re.sub(r"_(bucket|sum|count)$", "", name)
        assert set(re.findall(r'(\w+)="', labels)) - {"le"} == said[family][1], sample


def test_a_mail_is_seen_from_the_door_to_the_mailbox(mail_system: MailSystem) -> None:
    account = mail_system.account()
    _, before = scraped(mail_system)
    mail_system.send("ann@far.test", account, "measured")
    mail_system.expect(account, "measured")
    _, after = scraped(mail_system)
    for sample in (
        'barid_smtp_ingress_sessions_total{profile="mx"}',
        'barid_smtp_ingress_accepted_total{profile="mx"}',
        "barid_smtp_ingress_append_seconds_count",
        'barid_journal_mails_total{service="smtp_ingress"}',
        'barid_journal_batch_mails_count{service="smtp_ingress"}',
        'barid_journal_published_mails_total{service="smtp_ingress"}',
        "barid_mda_delivered_seconds_count",
        'barid_bus_served_seconds_count{operation="mailstore.settle"}',
        'barid_database_transaction_seconds_count{database="mailstore"}',
        'barid_mailstore_settled_total{outcome="filed"}',
    ):
        assert after[sample] > before.get(sample, 0), sample
    assert after['barid_journal_disk_free_bytes{service="smtp_ingress"}'] > 1e6
    assert after['barid_bus_stream_leader{consumer="mda"}'] == 1


@pytest.mark.parametrize("service", ["smtp_ingress", "relay", "mailstore", "mss"])
def test_every_service_with_a_journal_tells_of_it(mail_system: MailSystem, service: str) -> None:
    _, samples = scraped(mail_system)
    assert f'barid_journal_backlog_mails{{service="{service}"}}' in samples
    assert samples[f'barid_journal_trouble{{service="{service}"}}'] == 0
