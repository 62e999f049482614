"""From options to processes and settings."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barid.building import settings_type
from barid.crew import in_order_of_leaving
from barid.ground import all_in_bucket, alone
from barid.plan import (
    PlanError,
    UpOptions,
    groups,
    health_ports,
    listening_ports,
    processes,
    service_settings,
)
from barid.roster import SERVICES

OPTIONS = UpOptions(data=Path("/somewhere"))


def test_each_listener_stands_on_the_base_and_its_standard_port() -> None:
    ports = listening_ports(UpOptions(data=Path("x"), port_base=20_000))
    assert ports == {
        "smtp": 20_025,
        "submission": 20_587,
        "submissions": 20_465,
        "lmtp": 20_024,
        "imap": 20_143,
        "imaps": 20_993,
        "pop3": 20_110,
        "pop3s": 20_995,
        "admin": 20_080,
    }
    assert set(listening_ports(UpOptions(data=Path("x"), port_base=None)).values()) == {0}


def test_health_ports_that_do_not_exist_are_any() -> None:
    assert health_ports(UpOptions(data=Path("x"), port_base=20_000), 3) == [29_000, 29_001, 29_002]
    assert health_ports(UpOptions(data=Path("x"), port_base=56_534), 3) == [65_534, 65_535, 0]
    assert health_ports(UpOptions(data=Path("x"), port_base=None), 2) == [0, 0]


def test_a_port_may_be_told_apart_from_the_base() -> None:
    """It is reserved like the others, so the service gets the number that was reserved."""
    options = UpOptions(data=Path("x"), port_base=20_000, overrides={"mss": {"imap_port": "0", "pop3_port": "many"}})
    ports = listening_ports(options)
    assert (ports["imap"], ports["pop3"]) == (0, 20_110)
    settings = service_settings("mss", options, ports | {"imap": 41_143}, "nats://x", "secret", "key")
    assert settings["imap_port"] == 41_143
    assert settings["pop3_port"] == "many"  # what is wrong with it, its settings say


@given(st.integers(0, 20))
def test_every_service_has_exactly_one_process(processes: int) -> None:
    dealt = groups(SERVICES, processes)
    assert sorted(name for group in dealt for name in group) == sorted(SERVICES)
    assert len(dealt) == (min(processes, len(SERVICES)) if processes else len(SERVICES))


def test_the_heaviest_get_processes_of_their_own_first() -> None:
    """By what a message costs there: the doors on one core, what is behind them on the other."""
    doors, behind = groups(SERVICES, 2)
    assert "smtp_ingress" in doors
    assert {"mailstore", "mda"} <= set(behind)
    assert {("smtp_ingress",), ("mailstore",), ("mda",)} <= set(groups(SERVICES, 4))


def test_each_replica_is_a_process_with_listeners_of_its_own() -> None:
    options = UpOptions(data=Path("x"), size="cluster", port_base=20_000, replicas={"mss": 3, "smtp_ingress": 1})
    found = processes(options)
    names = [process.name for process in found]
    assert [name for name in names if name.startswith(("mss", "smtp"))] == ["smtp_ingress", "mss", "mss-2", "mss-3"]
    assert len(names) == len(set(names))
    third = next(process for process in found if process.name == "mss-3")
    assert third.members == {"mss-3": "mss"}
    ports = listening_ports(options, third.services, third.replica)
    assert ports == {"imap": 22_143, "imaps": 22_993, "pop3": 22_110, "pop3s": 22_995}
    told = UpOptions(data=Path("x"), size="cluster", overrides={"mss": {"imap_port": "3000", "imaps_port": "0"}})
    assert listening_ports(told, ("mss",), 2) == {"imap": 4_000, "imaps": 0, "pop3": 11_110, "pop3s": 11_995}


def test_few_processes_hold_one_of_each_service_in_the_cluster_size_too() -> None:
    (only,) = processes(UpOptions(data=Path("x"), size="cluster", processes=1))
    assert sorted(only.services) == sorted(SERVICES)


def test_a_service_whose_tables_are_in_a_file_has_one_process() -> None:
    fields: dict[str, set[str]] = {service: {"database_url"} for service in SERVICES} | {"relay": set()}
    assert alone(fields) == {"relay"}
    options = UpOptions(data=Path("x"), size="cluster")
    names = [process.name for process in processes(options, alone(fields))]
    assert "relay" in names
    assert "relay-2" not in names
    with pytest.raises(PlanError, match="relay=2: its tables are a file of one process"):
        processes(UpOptions(data=Path("x"), size="cluster", replicas={"relay": 2}), {"relay"})


def test_the_journal_is_in_a_bucket_when_all_who_touch_it_can_find_it() -> None:
    fields: dict[str, set[str]] = {name: {"s3_url"} for name, entry in SERVICES.items() if entry.journal}
    fields |= {name: set() for name in SERVICES if name not in fields}
    assert all_in_bucket(fields)
    assert not all_in_bucket(fields | {"admin": set()})


def test_those_who_take_work_in_leave_first() -> None:
    order = in_order_of_leaving(list(SERVICES))
    assert "smtp_ingress" in order[0]
    assert order[-1] == ["directory"]


@pytest.mark.parametrize("service", SERVICES)
def test_all_settings_given_are_settings_of_the_service(service: str) -> None:
    options = UpOptions(
        data=Path("x"), hostname="mail.example.test", max_size=100_000, smarthost="h:25", routes=(("a.test", "h:25"),)
    )
    given = service_settings(service, options, listening_ports(options), "nats://x", "secret", "key")
    assert given.keys() <= settings_type(service).model_fields.keys()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (UpOptions(data=Path("x"), allow_plaintext=True, host="0.0.0.0"), "--allow-plaintext"),
        (UpOptions(data=Path("x"), allow_plaintext=True, host="mail.example.test"), "--allow-plaintext"),
        (UpOptions(data=Path("x"), outbound="smarthost"), "--smarthost HOST:PORT"),
        (UpOptions(data=Path("x"), port_base=65_000), "--port-base"),
        (UpOptions(data=Path("x"), replicas={"mda": 2}), "--size cluster"),
        (UpOptions(data=Path("x"), size="cluster", processes=1, replicas={"mda": 2}), "exclude each other"),
        (UpOptions(data=Path("x"), size="cluster", replicas={"mtaa": 2}), "no such service"),
        (UpOptions(data=Path("x"), size="cluster", replicas={"mda": 9}), "between 1 and 8"),
        (UpOptions(data=Path("x"), size="cluster", port_base=63_000, replicas={"mss": 3}), "--port-base"),
        (UpOptions(data=Path("x"), overrides={"mtaa": {"x": "1"}}), "no such service"),
        (UpOptions(data=Path("x"), overrides={"mda": {"bus_url": "1"}}), "supervisor's to say"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_words(options: UpOptions, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        options.check()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_plaintext_is_for_loopback(host: str) -> None:
    UpOptions(data=Path("x"), allow_plaintext=True, host=host).check()
