"""Pure decisions: pauses, hosts, replies, notices."""

from email import message_from_bytes

from hypothesis import given
from hypothesis import strategies as st

from barid_protocols.smtp import Reply
from barid_relay.policy import replies
from barid_relay.policy.addresses import domain_of, for_the_wire
from barid_relay.policy.mx import LOOP, MOST_HOSTS, NULL_MX, in_turns, literal_address, mx_hosts
from barid_relay.policy.notices import Composer, header_block
from barid_relay.policy.routing import CAPTURE, SMARTHOST, ByMx, Fixed, Keep, Routing
from barid_relay.policy.schedule import Schedule
from barid_relay.ports.hosts import Answer, Fate, Tls
from barid_relay.ports.queue import Leased, Notices, Parcel, Result
from barid_relay.settings import Settings, host_and_port

from .office import NO_REF

SCHEDULE = Schedule(first=900, most=14_400, expire=432_000, warn=14_400)
DEFERRED = Answer(Fate.DEFERRED, "4.2.0", "mx.far.test", reply="451 4.2.0 later")


def parcel(*recipients: Leased, at: int = 0, reverse_path: str = "ann@here.test") -> Parcel:
    return Parcel(1, "01ARZ3NDEKTSV4RRFFQ69G5FAV", at, NO_REF, reverse_path, "", False, "", "", recipients)


def leased(n: int = 0, address: str = "bob@far.test", attempts: int = 0, *, warned: bool = False) -> Leased:
    return Leased(n, address, address, attempts, warned, 0, 1)


def test_pauses() -> None:
    assert [SCHEDULE.pause(n) / 60 for n in range(1, 9)] == [15, 30, 60, 120, 240, 240, 240, 240]
    assert SCHEDULE.pause(100_000) == 14_400


@given(st.integers(0, 500_000_000), st.integers(0, 1000), st.booleans())
def test_a_deferred_recipient_is_tried_again_within_its_time_or_given_back(
    age: int, attempts: int, warned: bool
) -> None:
    one = leased(attempts=attempts, warned=warned)
    result = SCHEDULE.judge(parcel(one), one, DEFERRED, age)
    if age >= 432_000_000:
        assert (result.fate, result.expired) == (Fate.BOUNCED, True)
    else:
        assert result.fate is Fate.DEFERRED
        assert age < result.due <= max(432_000_000, age + 1000)
        assert result.due - age <= 14_400_000
        assert result.warn == (age >= 14_400_000 and not warned)


# --- hosts


def backwards(names: list[str]) -> None:
    names.reverse()


def test_hosts_in_order() -> None:
    records = [(20, "c"), (10, "b"), (10, "a"), (30, "d"), (30, "a")]
    assert mx_hosts("far.test", records, lambda host: False, backwards) == [["b", "a"], ["c"], ["d"]]
    assert mx_hosts("far.test", records, lambda host: host == "c", backwards) == [["b", "a"]]
    assert mx_hosts("far.test", records, lambda host: host == "b", backwards) is LOOP
    assert mx_hosts("far.test", [], lambda host: False, backwards) == [["far.test"]]
    assert mx_hosts("far.test", [], lambda host: True, backwards) is LOOP
    assert mx_hosts("far.test", [(0, "")], lambda host: False, backwards) is NULL_MX
    assert mx_hosts("far.test", [(0, ""), (5, "a")], lambda host: False, backwards) == [["a"]]


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["", "a", "b", "c", "self"])), max_size=12))
def test_no_host_twice_none_of_ours_none_worse_before_better(records: list[tuple[int, str]]) -> None:
    groups = mx_hosts("far.test", records, lambda host: host == "self", lambda names: None)
    if isinstance(groups, Answer):
        assert groups in (LOOP, NULL_MX)
        return
    assert all(groups)
    found = [host for equals in groups for host in equals]
    assert len(found) == len(set(found)) <= MOST_HOSTS
    assert "self" not in found and "" not in found
    best = {host: min(p for p, each in records if each == host) for host in found if host != "far.test"}
    ours = [p for p, host in records if host == "self"]
    assert all(p < min(ours, default=99) for p in best.values())
    assert [best[host] for host in found if host in best] == sorted(best.values())
    assert all(len({best[host] for host in equals if host in best}) <= 1 for equals in groups)


def test_the_addresses_of_a_host_by_turns() -> None:
    v4, v6 = [f"192.0.2.{k}" for k in range(9)], [f"2001:db8::{k}" for k in range(9)]
    assert in_turns([*v4, *v6]) == ["192.0.2.0", "2001:db8::0", "192.0.2.1", "2001:db8::1"]
    assert in_turns(v4) == v4[:4]
    assert in_turns(["192.0.2.1", *v6]) == ["192.0.2.1", *v6[:3]][:2] + v6[1:3]
    assert in_turns([]) == []


def test_literals() -> None:
    assert literal_address("[192.0.2.1]") == "192.0.2.1"
    assert literal_address("[IPv6:2001:db8::1]") == "2001:db8::1"
    for text in ("[x]", "192.0.2.1", "[]", "[192.0.2.300]", "[IPv6:fe80::1%eth0]"):
        assert literal_address(text) is None


def test_ways(tmp_path: object) -> None:
    routing = Routing(Settings(data="/x", routes={"Far.Test": "[::1]:2525"}, hostname="Me.test"))  # type: ignore[arg-type]
    assert routing.destination("other.test") == CAPTURE
    assert isinstance(routing.way(CAPTURE), Keep)
    assert isinstance(routing.way(SMARTHOST), Keep)
    way = routing.way(routing.destination("far.test"))
    assert isinstance(way, Fixed)
    assert (way.hop.address, way.hop.port) == ("::1", 2525)
    assert routing.is_own("me.TEST.")
    direct = Routing(Settings(data="/x", outbound="direct"))  # type: ignore[arg-type]
    assert direct.way(direct.destination("far.test")) == ByMx("far.test")


def test_where_a_password_goes_the_certificate_is_checked() -> None:
    def hop(**more: object) -> tuple[Tls, bool]:
        settings = Settings(data="/x", outbound="smarthost", smarthost_login="ann", **more)  # type: ignore[arg-type]
        hop = Routing(settings).smarthost
        assert hop is not None and hop.login is not None
        return hop.tls, hop.login.plaintext

    assert hop(smarthost="mail.isp.test:587") == (Tls.MUST, False)
    assert hop(smarthost="127.0.0.1:587") == (Tls.MAY, True)
    assert hop(smarthost="mail.isp.test:587", smarthost_allow_plaintext=True) == (Tls.MAY, True)
    assert hop(smarthost="mail.isp.test:465", smarthost_tls="implicit") == (Tls.IMPLICIT, False)
    # Whoever switches TLS off has not thereby permitted the password in the clear.
    assert hop(smarthost="mail.isp.test:587", smarthost_tls="none") == (Tls.NEVER, False)


def test_addresses() -> None:
    assert domain_of("a@BÜCHER.test") == "xn--bcher-kva.test"
    assert domain_of('"a b"@Far.test') == "far.test"
    assert [domain_of(text) for text in ("", "a", "a@", "@b", "a b@c", "a@b c")] == [""] * 6
    assert for_the_wire("a@bücher.test") == "a@xn--bcher-kva.test"
    assert for_the_wire("jürgen@far.test") == "jürgen@far.test"


@given(st.text(max_size=40))
def test_any_text_has_a_domain_or_none(text: str) -> None:
    domain = domain_of(text)
    assert isinstance(domain, str)
    assert for_the_wire(text) == text or not text.isascii()


def test_host_and_port() -> None:
    assert host_and_port("mx.test:25") == ("mx.test", 25)
    assert host_and_port("[::1]:25") == ("::1", 25)
    assert host_and_port("127.0.0.1", 53) == ("127.0.0.1", 53)
    assert host_and_port("::1", 53) == ("::1", 53)
    assert host_and_port("[::1]", 53) == ("::1", 53)
    assert host_and_port("127.0.0.1:5353", 53) == ("127.0.0.1", 5353)


# --- replies


@given(st.integers(200, 599), st.text(max_size=20), st.booleans())
def test_every_reply_means_something(code: int, text: str, final: bool) -> None:
    reply = Reply(code, "", text)
    answer = replies.of_recipient("mx", reply)
    expected = Fate.RELAYED if code < 400 else Fate.DEFERRED if code < 500 else Fate.BOUNCED
    assert answer.fate is expected
    assert answer.status[0] == {Fate.RELAYED: "2", Fate.DEFERRED: "4", Fate.BOUNCED: "5"}[expected]
    opening = replies.of_opening("mx", reply, final=final)
    assert opening.fate in ((Fate.BOUNCED, Fate.DEFERRED) if final else (Fate.DEFERRED,))
    assert replies.of_loss("mx", "lost", reply).fate is not Fate.RELAYED


def test_too_many_comes_again_only_if_somebody_was_taken() -> None:
    ok, many, old = Reply(250, "2.1.5", "ok"), Reply(452, "4.5.3", "too many"), Reply(552, "5.5.3", "too many")
    full = Reply(552, "5.2.2", "full")
    assert [answer.again for answer in replies.after_envelope("mx", [ok, many, old, full])] == [
        False,
        True,
        True,
        False,
    ]
    assert [answer.again for answer in replies.after_envelope("mx", [many, many])] == [False, False]
    assert replies.of_recipient("mx", old).fate is Fate.DEFERRED
    assert replies.of_recipient("mx", full).fate is Fate.BOUNCED


# --- notices


def compose(items: list[Result], header: bytes = b"", reverse_path: str = "ann@here.test") -> Notices:
    whole = parcel(*[item.recipient for item in items], reverse_path=reverse_path)
    return Composer("relay.here.test", SCHEDULE, whole, header, 1_790_000_000)(items)


def failed(n: int, answer: Answer | None = None) -> Result:
    return Result(leased(n, f"u{n}@far.test"), Fate.BOUNCED, answer or Answer(Fate.BOUNCED, "5.1.1", "mx", "550 no"))


def test_a_notice_is_named_after_its_mail_and_first_recipient() -> None:
    first, again, other = compose([failed(3), failed(1)]), compose([failed(1)]), compose([failed(3)])
    assert first.failed and again.failed and other.failed
    assert first.failed.mail_id == again.failed.mail_id != other.failed.mail_id
    delayed = compose([Result(leased(1), Fate.DEFERRED, DEFERRED, warn=True)])
    assert delayed.delayed and delayed.delayed.mail_id != first.failed.mail_id
    assert compose([failed(1)], reverse_path="") == Notices()
    assert compose([]) == Notices()


@given(st.text(max_size=60), st.text(max_size=60), st.binary(max_size=200))
def test_whatever_hosts_say_the_notice_is_whole(said: str, reason: str, header: bytes) -> None:
    notices = compose([failed(0, Answer(Fate.BOUNCED, "5.0.0", "mx", said, reason))], header)
    assert notices.failed is not None
    notice = message_from_bytes(notices.failed.content)
    parts = notice.get_payload()
    assert isinstance(parts, list) and len(parts) == 3
    recipients = parts[1].get_payload()
    assert isinstance(recipients, list) and len(recipients) == 2
    assert recipients[1]["Status"] == "5.0.0"


def test_a_header_with_our_boundary_is_left_out() -> None:
    name = compose([failed(0)]).failed
    assert name is not None
    notices = compose([failed(0)], b"X: y\r\n--barid-" + name.mail_id.encode() + b"\r\n")
    assert notices.failed is not None
    assert len(message_from_bytes(notices.failed.content).get_payload()) == 3


def test_header_blocks() -> None:
    assert header_block(b"A: b\r\nC: d\r\n\r\nbody") == b"A: b\r\nC: d\r\n"
    assert header_block(b"A: b\r\nC: d cut he") == b"A: b\r\n"
    assert header_block(b"no line end") == b""
    assert header_block(b"") == b""
    assert header_block(b"\r\nbody\r\n\r\nmore") == b""
