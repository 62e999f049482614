"""The table of permissions and the contracts agree."""

import importlib
import pkgutil

import pytest

import barid_contracts
from barid_contracts.base import Event, Operation
from barid_runtime.bus.permissions import PERMISSIONS

OWNERS = {"directory", "mailstore", "relay"}


def contracts(kind: type) -> list[str]:
    modules = [
        importlib.import_module(f"barid_contracts.{info.name}")
        for info in pkgutil.iter_modules(barid_contracts.__path__)
    ]
    return sorted({value.subject for module in modules for value in vars(module).values() if isinstance(value, kind)})


def matches(pattern: str, subject: str) -> bool:
    wanted, given = pattern.split("."), subject.split(".")
    for n, token in enumerate(wanted):
        if token == ">":
            return len(given) > n
        if n >= len(given) or (token != "*" and token != given[n]):
            return False
    return len(wanted) == len(given)


def allowed(kind: str, subject: str) -> set[str]:
    return {
        name
        for name, permissions in PERMISSIONS.items()
        if name != "barid" and any(matches(pattern, subject) for pattern in getattr(permissions, kind))
    }


@pytest.mark.parametrize("subject", contracts(Operation))
def test_every_operation_is_served_by_its_owner_alone_and_asked_by_somebody(subject: str) -> None:
    owner = subject.split(".")[2]
    assert owner in OWNERS
    assert allowed("subscribe", subject) == {owner}
    assert allowed("publish", subject)


@pytest.mark.parametrize("subject", contracts(Event))
def test_every_event_is_told_by_somebody(subject: str) -> None:
    assert allowed("publish", subject.format(account="a1"))


def test_who_faces_the_internet_can_not_manage_or_settle() -> None:
    for subject in contracts(Operation):
        if ".manage." in subject or subject.endswith((".settle", ".append", ".password")):
            assert "smtp_ingress" not in allowed("publish", subject)
    assert not any(subject.startswith("mail.v1.directory.manage") for subject in PERMISSIONS["mss"].publish)


@pytest.mark.parametrize("name", PERMISSIONS)
def test_no_subject_is_listed_twice(name: str) -> None:
    for listed in (PERMISSIONS[name].publish, PERMISSIONS[name].subscribe):
        assert len(set(listed)) == len(listed)


def test_news_of_an_account_are_heard_by_those_who_show_mail() -> None:
    assert allowed("subscribe", "mail.v1.changed.a1") == {"mss", "admin"}
