"""Every setting of every service, set wrong: one line that names it, says what is wrong and where to write it; never
the value, which may be a secret. A setting that is new and stands in no table fails."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from barid.building import settings_type
from barid.roster import SERVICES, module_of
from barid_runtime.settings import EXIT_SETTINGS, SettingsError, load

NO_NUMBER = ("much", "nan", "inf")
NO_FILE = ("/no/such/file.pem", "/")
PORTS = ("65536", "-1", "smtp")
SWITCH = ("perhaps",)

WRONG: dict[str, tuple[str, ...]] = {
    "bus_url": ("http://bus:4222", "bus:4222", "nats://user:hush@bus:4222", "nats://bus:hush", "nats://bus:4222/x", ""),
    "bus_ca": NO_FILE,
    "bus_certificate": NO_FILE,
    "bus_key": NO_FILE,
    "bus_replicas": ("2", "0", *NO_NUMBER),
    "hostname": ("two words", "", "mx.example.test\r\nHELO"),
    "host": ("", "two words", "http://[::1]/"),
    "health_port": PORTS,
    "drain_seconds": ("-1", *NO_NUMBER),
    "otlp_endpoint": ("host:4318", "ftp://host", "http://user:hush@host"),
    "trace_ratio": ("1.1", "-0.1", *NO_NUMBER),
    "log_level": ("loud", "INFO"),
    "log_format": ("xml",),
    "database_url": (
        "mysql://user:hush@db/barid", "db:5432", "postgresql://user:hush@db:port/barid", "postgresql://user:hush/@db/barid",
        "postgresql://user:hush@one:5432,two:65536/barid",
    ),
    "database_ca": NO_FILE,
    "database_schema": ('a"; DROP', "Upper", "1st", "x" * 64),
    "database_readers": ("0", "101", *NO_NUMBER),
    "s3_url": ("s3:9000", "http://key:hush@s3", "http://s3/bucket", "http://s3:port"),
    "s3_ca": NO_FILE,
    "s3_region": ("",),
    "s3_window": ("-1", "11", *NO_NUMBER),
    "s3_pack_bytes": ("1", "67108865", *NO_NUMBER),
    "s3_keep_seconds": ("-1", "3601", *NO_NUMBER),
    "s3_put_seconds": ("0", "541", *NO_NUMBER),
    "s3_put_margin": ("0", "3601", *NO_NUMBER),
    "s3_puts": ("0", "65", *NO_NUMBER),
    "s3_cache": ("-1", *NO_NUMBER),
    "postmaster": ("nobody", "@", "nobody@"),
    "hashing_threads": ("0", "65", *NO_NUMBER),
    "max_failed_logins": ("0", "10001", *NO_NUMBER),
    "smtp_port": PORTS,
    "mx_port": PORTS,
    "submission_port": PORTS,
    "submissions_port": PORTS,
    "lmtp_port": PORTS,
    "imap_port": PORTS,
    "imaps_port": PORTS,
    "pop3_port": PORTS,
    "pop3s_port": PORTS,
    "admin_port": PORTS,
    "tls_certificate": NO_FILE,
    "tls_key": NO_FILE,
    "allow_plaintext": SWITCH,
    "relay_networks": ("127.0.0.1", '["127.0.0.1/8"]', '["here"]', "[not json]"),
    "unlimited_networks": ('["127.0.0.1/8"]', "{}"),
    "max_size": ("65535", *NO_NUMBER),
    "max_recipients": ("99", *NO_NUMBER),
    "max_hops": ("9", "101", *NO_NUMBER),
    "max_connections": ("0", *NO_NUMBER),
    "max_connections_per_network": ("0", *NO_NUMBER),
    "max_messages_per_hour": ("-1", *NO_NUMBER),
    "max_recipients_per_hour": ("-1", *NO_NUMBER),
    "max_messages_per_network_per_hour": ("-1", *NO_NUMBER),
    "known_recipients": ("-1", *NO_NUMBER),
    "outbound": ("everywhere",),
    "routes": ("a.test=host:25", '{"a.test": "host"}', '{"a.test": "host:0"}', '{"a.test": 25}'),
    "smarthost": ("host", "host:port", ":25"),
    "smarthost_tls": ("perhaps",),
    "smarthost_allow_plaintext": SWITCH,
    "smarthost_authorities": NO_FILE,
    "dns_nameservers": ("192.0.2.1", '["ns.example.test"]', '["192.0.2.1:port"]'),
    "dns_zone_file": NO_FILE,
    "dial_networks": ('["10.0.0.1/8"]',),
    "own_hosts": ("mx.example.test", "[1]"),
    "connections": ("0", "2001", *NO_NUMBER),
    "connections_per_destination": ("0", "101", *NO_NUMBER),
    "retry_first": ("0", *NO_NUMBER),
    "retry_most": ("0", *NO_NUMBER),
    "expire_after": ("0", *NO_NUMBER),
    "warn_after": ("-1", *NO_NUMBER),
    "retention_seconds": ("0", *NO_NUMBER),
    "ledger_days": ("7", *NO_NUMBER),
    "captured_days": ("-1", *NO_NUMBER),
    "captured_most": ("0", *NO_NUMBER),
    "captured_most_size": ("0", *NO_NUMBER),
    "lease_seconds": ("0", *NO_NUMBER),
    "create_details": SWITCH,
    "batches": ("0", "65", *NO_NUMBER),
    "gather_ms": ("-1", "1001", *NO_NUMBER),
    "reconcile_seconds": ("0", *NO_NUMBER),
    "reconcile_grace": ("-1", *NO_NUMBER),
    "reconcile_grace_at_start": ("-1", *NO_NUMBER),
    "delete_grace": ("-1", *NO_NUMBER),
    "tombstone_days": ("-1", *NO_NUMBER),
    "account_grace_days": ("-1", *NO_NUMBER),
    "max_append": ("65535", *NO_NUMBER),
    "max_reading_connections": ("0", *NO_NUMBER),
    "max_reading_connections_per_network": ("0", *NO_NUMBER),
    "max_sessions_per_account": ("0", *NO_NUMBER),
    "summary_cache": ("-1", *NO_NUMBER),
    "view_cache": ("-1", *NO_NUMBER),
    "admin_preload": SWITCH,
    "admin_key_hashes": ("hush", '["hush"]'),
    "admin_reader_hashes": ("hush", '["hush"]'),
}  # fmt: skip
"""Setting → what it can't be, as text in the environment."""

ANY_TEXT = {"bus_user", "bus_password", "smarthost_login", "smarthost_password", "admin_api_key"}
"""Names and passwords that others gave: whether they are right, only those know."""

A_BUCKET = {"s3_url": "http://s3:9000", "s3_bucket": "mail", "s3_access_key": "key", "s3_secret_key": "hush"}
WITH_A_BUCKET = {"s3_bucket": ("", "A", "no_bucket"), "s3_access_key": ("", "ab"), "s3_secret_key": ("",)}
"""Looked at where `s3_url` is set."""

MISSING = {"data"}
"""Without a default."""

TOGETHER: list[tuple[str, dict[str, str], str]] = [
    ("mda", {"bus_certificate": __file__}, "bus_certificate and bus_key go together: set both or neither"),
    ("smtp_ingress", {"tls_certificate": __file__}, "tls_certificate and tls_key go together: set both or neither"),
    ("mss", {"tls_key": __file__}, "tls_certificate and tls_key go together: set both or neither"),
    ("relay", {"outbound": "smarthost"}, "outbound is smarthost, but no smarthost is set"),
    ("directory", {"database_ca": __file__}, "database_ca is of no use without database_url"),
    ("mss", A_BUCKET | {"s3_ca": __file__}, "BARID_S3_CA is wrong"),
    ("admin", {"admin_api_key": ""}, "no API key: set BARID_ADMIN_API_KEY"),
]
"""Service, settings that don't fit each other, and what is said first."""


@pytest.fixture(autouse=True)
def nothing_else_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ.keys() - {"PATH"}:
        if name.startswith("BARID_"):
            monkeypatch.delenv(name)


def told(service: str, given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines of a start with these in the environment; none if it would go on."""
    with monkeypatch.context() as patch:
        for name, value in ({"data": "/data", "admin_api_key": "key"} | given).items():
            patch.setenv(f"BARID_{name.upper()}", value)
        try:
            load(settings_type(service))
        except SettingsError as error:
            return str(error).splitlines()
    return []


def is_plain(lines: list[str], name: str) -> bool:
    variable = f"BARID_{name.upper()}"
    return (
        len(lines) == 1
        and lines[0].startswith(f"{variable} is wrong (")  # what it is for
        and lines[0].endswith(f"; set {variable}, or `{name}` in the settings file")
        and "hush" not in lines[0]
    )


@pytest.mark.parametrize("service", SERVICES)
def test_each_wrong_setting_is_named_in_one_line(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    unclear = {}
    for name in settings_type(service).model_fields:
        for value in WRONG.get(name, ()):
            if not is_plain(lines := told(service, {name: value}, monkeypatch), name):
                unclear[name, value] = lines
        for value in WITH_A_BUCKET.get(name, ()):
            if not is_plain(lines := told(service, A_BUCKET | {name: value}, monkeypatch), name):
                unclear[name, value] = lines
    assert unclear == {}


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_is_tried_and_says_what_it_is_for(service: str) -> None:
    fields = settings_type(service).model_fields
    assert fields.keys() - WRONG.keys() - ANY_TEXT - WITH_A_BUCKET.keys() - MISSING == set()
    assert [name for name, field in fields.items() if not field.description] == []


def test_no_row_is_of_a_setting_that_is_gone() -> None:
    there = {name for service in SERVICES for name in settings_type(service).model_fields}
    assert (WRONG.keys() | ANY_TEXT | WITH_A_BUCKET.keys() | MISSING) - there == set()


@pytest.mark.parametrize(("service", "given", "said"), TOGETHER)
def test_settings_that_do_not_fit_each_other(
    service: str, given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = told(service, given, monkeypatch)
    assert line.startswith(said)


@pytest.mark.parametrize("service", SERVICES)
def test_the_same_settings_right_go_on(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(service, {}, monkeypatch) == []


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ({}, ["BARID_DATA is missing (folder of journal, databases, certificates and secrets)"]),
        (
            {"DATA": "/data", "BUS_URL": "nats://mda:hush@bus", "GATHER_MS": "much"},
            ["BARID_BUS_URL", "BARID_GATHER_MS"],
        ),
    ],
)
def test_a_process_says_it_and_ends(given: dict[str, str], lines: list[str], tmp_path: Path) -> None:
    environment: dict[str, Any] = {"PATH": os.environ["PATH"]} | {
        f"BARID_{name}": value for name, value in given.items()
    }
    ended = subprocess.run(
        [sys.executable, "-m", module_of("mda")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert ended.returncode == EXIT_SETTINGS
    assert len(ended.stderr.splitlines()) == len(lines), ended.stderr
    for said, begin in zip(ended.stderr.splitlines(), lines, strict=True):
        assert said.startswith(begin)
    assert "hush" not in ended.stderr + ended.stdout
