"""Traces: names that follow from the mail's, headers that may hold anything, and a receiver that is not there."""

import socket
import sys
import time

import pytest

from barid_runtime import trace_export, tracing
from barid_runtime.ids import child_id, new_mail_id
from barid_runtime.settings import SettingsError
from barid_runtime.tracing import PARENTS_MOST, Parents, header_of, is_traced, mail_of, trace_of

MAIL = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "door", None)


class Noted:
    def __init__(self, traceparent: str) -> None:
        self.traceparent = traceparent

    def end(self, **attributes: str | int | bool) -> None: ...


def test_a_trace_is_named_as_its_mail_and_the_other_way_round() -> None:
    for mail_id in (MAIL, new_mail_id(1_700_000_000), child_id(MAIL, 0, 1), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"):
        assert mail_of(trace_of(mail_id)) == mail_id
        assert 0 < trace_of(mail_id) < 1 << 128


def test_a_part_of_all_mail_may_be_traced_and_all_services_take_the_same() -> None:
    names = [trace_of(new_mail_id(1_700_000_000 + n)) for n in range(2000)]
    chosen = {ratio: {name for name in names if is_traced(name, ratio)} for ratio in (0.0, 0.1, 0.5, 1.0)}
    assert [len(found) for found in (chosen[0.0], chosen[1.0])] == [0, 2000]
    assert 120 < len(chosen[0.1]) < 280
    assert chosen[0.1] < chosen[0.5]


def test_each_step_of_a_batch_finds_the_one_that_caused_it() -> None:
    trace = f"{trace_of(MAIL):032x}"
    spans = [f"{n:016x}" for n in (1, 2)]
    parents = Parents(header_of([Noted(f"00-{trace}-{spans[0]}-01"), None, Noted(f"00-{trace}-{spans[1]}-01")]))
    assert parents.mails() == [(MAIL, spans[0])]
    assert [parents.take(MAIL) for _ in range(3)] == [spans[0], spans[1], spans[1]]
    assert parents.take(child_id(MAIL, 0, 0)) == ""


@pytest.mark.parametrize(
    "header",
    ["", ",", "00-1-2-01", "nonsense", "00-" + "G" * 32 + "-" + "0" * 16 + "-01", "é" * 60, "-" * 3, "00" * 99],
)
def test_a_header_that_is_none_names_nothing(header: str) -> None:
    assert Parents(header).mails() == []


def test_a_header_has_an_end() -> None:
    header = header_of([Noted(f"00-{n:032x}-{n:016x}-01") for n in range(1, 5000)])
    assert header.count(",") == PARENTS_MOST - 1
    assert len(header) < 32_000


def test_packages_that_are_not_installed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "barid_runtime.otlp", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    trace_export.start("", 1.0)  # nobody asked
    with pytest.raises(SettingsError, match=r"BARID_OTLP_ENDPOINT .* install barid-runtime\[tracing\]"):
        trace_export.start("http://127.0.0.1:4318", 1.0)


@pytest.mark.filterwarnings("ignore")
def test_a_receiver_that_hangs_keeps_nobody_waiting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        trace_export.start(f"http://127.0.0.1:{mute.getsockname()[1]}", 1.0)
        assert tracing.door is not None
        began = time.monotonic()
        for _ in range(10_000):  # more than its queue holds
            step = tracing.door.begin("mda", "mda.deliver", MAIL)
            assert step is not None
            step.end()
        assert time.monotonic() - began < 20
        began = time.monotonic()
        trace_export.stop()
        assert time.monotonic() - began < 4
    assert tracing.door is None
