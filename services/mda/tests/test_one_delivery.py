"""How one obligation ends: the pure policy."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barid_contracts.directory import Account
from barid_contracts.mail import Accepted, AcceptedBatch, Obligation
from barid_contracts.settle import Settlement, SettleRequest
from barid_mda.policy.at_hand import MailAtHand
from barid_mda.policy.delivery import LOOP, MAX_HOPS, Site, decide
from barid_mda.policy.proposal import Filing, Proposal, joined, settle_request
from barid_mda.ports import NO_SCRIPT, Script
from barid_protocols.sieve import AskMailboxExists, compile_script

NOW = 1_700_000_000.0
MAIL_ID = "01HF7YAT0000000000000000M1"
SITE = Site("mx.a.test")
ALICE = Account(id="id-alice", address="alice@a.test", addresses=["alice@a.test", "sales@a.test"])
HEADERS = "From: Bob <bob@b.test>\r\nTo: alice@a.test\r\nSubject: lunch\r\nMessage-ID: <m1@b.test>\r\n\r\n"
TRACE = "Received: from b.test by mx.a.test; Tue, 14 Nov 2023 22:13:20 +0000\r\n"


def mail(headers: str = HEADERS, **fields: Any) -> Accepted:
    values = {
        "mail_id": MAIL_ID,
        "at": int(NOW * 1000),
        "reverse_path": "bob@b.test",
        "trace": TRACE,
        "size": 4096,
        "headers": headers,
        **fields,
    }
    return Accepted.model_validate(values)


def to_alice(detail: str | None = None) -> Obligation:
    original = f"Alice+{detail}@A.test" if detail else "Alice@A.test"
    return Obligation(n=3, kind="account", address="alice@a.test", original=original, account="id-alice", detail=detail)


def script(text: str) -> Script:
    return Script("etag-1", compile_script(text))


def delivered(
    with_script: Script | str = NO_SCRIPT,
    headers: str = HEADERS,
    *,
    account: Account | None = ALICE,
    detail: str | None = None,
    site: Site = SITE,
    answers: Any = None,
    **fields: Any,
) -> Proposal:
    if isinstance(with_script, str):
        with_script = script(with_script)
    outcome = decide(
        MailAtHand(mail(headers, **fields)), to_alice(detail), account, with_script, site, NOW, answers or {}
    )
    assert isinstance(outcome, Proposal)
    Settlement.model_validate_json(outcome.text())
    return outcome


def test_without_a_script_the_mail_is_kept() -> None:
    end = delivered()
    assert (end.mail_id, end.n, end.account, end.outcome) == (MAIL_ID, 3, "id-alice", "filed")
    assert (end.delivered_to, end.script, list(end.filings), list(end.rules)) == ("alice@a.test", "", [], [])


def test_a_script_files() -> None:
    end = delivered('require ["fileinto", "imap4flags"]; fileinto :flags "\\\\Flagged" "Lunch"; keep :flags "todo";')
    assert list(end.filings) == [Filing("Lunch", ("\\Flagged",)), Filing("INBOX", ("todo",))]
    assert end.script == "etag-1"
    assert end.rules == ["line 1: fileinto Lunch", "line 1: keep"]


def test_a_script_that_does_nothing_keeps() -> None:
    end = delivered('require "fileinto"; if header :contains "Subject" "spam" { fileinto "Junk"; }')
    assert (end.outcome, list(end.filings), list(end.rules), end.script) == ("filed", [], [], "etag-1")


def test_a_script_sees_the_envelope_the_size_and_our_received_field() -> None:
    end = delivered(
        'require ["fileinto", "envelope", "subaddress"];'
        'if allof (envelope :is "from" "bob@b.test", envelope :detail "to" "x", size :over 4K,'
        ' header :contains "received" "mx.a.test") { fileinto "Seen"; }',
        detail="x",
    )
    assert list(end.filings) == [Filing("Seen")]


def test_discard() -> None:
    end = delivered("discard;")
    assert (end.outcome, end.reason, end.rules) == ("discarded", "discarded by the script", ["line 1: discard"])


def test_a_detail_names_the_default_mailbox() -> None:
    assert list(delivered(detail="Lists").filings) == [Filing("Lists", detail=True)]
    created = Filing("Lists", create=True, detail=True)
    assert list(delivered(detail="Lists", site=Site("mx", True)).filings) == [created]
    assert list(delivered("keep;", detail="Lists").filings) == [Filing("Lists", detail=True)]
    assert list(delivered('require "fileinto"; fileinto "Other";', detail="Lists").filings) == [Filing("Other")]


def test_a_script_that_cannot_run_keeps_the_mail() -> None:
    broken = delivered(Script("etag-2", None, "line 1: no such command"))
    assert (broken.outcome, list(broken.filings), broken.script) == ("filed", [], "etag-2")
    assert broken.rules == ("kept: the script does not compile: line 1: no such command",)
    redirects = "".join(f'redirect "u{n}@b.test";' for n in range(50))
    failed = delivered(redirects)
    assert (failed.outcome, list(failed.children)) == ("filed", [])
    assert failed.fault


def test_an_error_of_the_engine_keeps_the_mail() -> None:
    class Broken:
        def evaluate(self, *_: Any) -> Any:
            raise KeyError("secret text")

    end = delivered(Script("etag", Broken()))  # type: ignore[arg-type]
    assert (end.outcome, end.fault) == ("filed", "internal error (KeyError)")


def test_a_question_is_handed_up() -> None:
    asks = script('require ["mailbox", "fileinto"]; if mailboxexists "Work" { fileinto "Work"; }')
    question = decide(MailAtHand(mail()), to_alice(), ALICE, asks, SITE, NOW)
    assert question == AskMailboxExists("Work")
    assert list(delivered(asks, answers={question: True}).filings) == [Filing("Work")]


# --- redirect


def test_redirect_sends_the_mail_itself_on() -> None:
    end = delivered('redirect "Carol@c.test";')
    assert (end.outcome, list(end.filings), end.reason) == ("redirected", [], "to Carol@c.test")
    (child,) = end.children
    assert (child.kind, child.body, child.reverse_path, child.recipients) == (
        "redirect",
        "same",
        "bob@b.test",
        ["Carol@c.test"],
    )
    assert child.prefix == f"Delivered-To: alice@a.test\r\n{TRACE}"


def test_redirect_copy_also_keeps() -> None:
    end = delivered('require "copy"; redirect :copy "carol@c.test"; redirect :copy "dave@d.test";')
    assert (end.outcome, list(end.filings)) == ("filed", [Filing("INBOX")])
    assert len({child.mail_id for child in end.children}) == 2
    again = delivered('require "copy"; redirect :copy "carol@c.test"; redirect :copy "dave@d.test";')
    assert [child.mail_id for child in again.children] == [child.mail_id for child in end.children]


def test_a_null_sender_stays_null() -> None:
    (child,) = delivered('redirect "carol@c.test";', reverse_path="").children
    assert child.reverse_path == ""


def test_a_redirected_child_gets_a_received_field_of_its_own() -> None:
    (child,) = delivered('redirect "carol@c.test";', trace="").children
    assert child.prefix.startswith("Delivered-To: alice@a.test\r\nReceived: by mx.a.test (Barid) id ")
    assert child.prefix.endswith("\r\n")


@pytest.mark.parametrize("address", ["alice@a.test", "Sales@A.test", "alice+work@a.test"])
def test_redirect_to_oneself_keeps(address: str) -> None:
    end = delivered(f'redirect "{address}";')
    assert (end.outcome, list(end.filings), list(end.children)) == ("filed", [Filing("INBOX")], [])


# --- loops and accounts that are gone


@pytest.mark.parametrize("field", ["Delivered-To: alice@a.test", "delivered-to:\r\n <ALICE@a.test>"])
@pytest.mark.parametrize("reverse_path", ["bob@b.test", ""])
def test_what_was_here_before_is_kept_and_goes_no_further(field: str, reverse_path: str) -> None:
    """No notice: the field may be a stranger's, and so may the sender's name."""
    for script in ('redirect "carol@c.test";', "discard;", VACATION):
        end = delivered(script, f"{field}\r\n{HEADERS}", reverse_path=reverse_path)
        assert (end.outcome, list(end.filings), list(end.children), end.vacation) == ("filed", [], [], None)
        assert end.rules == (LOOP,)


def test_what_was_elsewhere_before_does_not() -> None:
    assert delivered(NO_SCRIPT, f"Delivered-To: bob@a.test\r\nX: delivered-to alice\r\n{HEADERS}").outcome == "filed"


def test_too_many_hops_end_here() -> None:
    assert delivered("discard;", received_count=MAX_HOPS + 1).outcome == "filed"
    assert delivered("discard;", received_count=MAX_HOPS).outcome == "discarded"


def test_an_account_that_is_gone_bounces_to_senders_only() -> None:
    end = delivered(account=None)
    assert (end.outcome, end.reason) == ("bounced", "5.1.1 The mailbox does not exist any more")
    (notice,) = end.children
    assert (notice.kind, notice.reverse_path, notice.recipients) == ("dsn", "", ["bob@b.test"])
    assert b"Status: 5.1.1" in notice.content
    assert b"Final-Recipient: rfc822; alice@a.test" in notice.content
    assert b"Subject: lunch" in notice.content
    end = delivered(account=None, reverse_path="")
    assert (end.outcome, list(end.children)) == ("bounced", [])


# --- vacation

VACATION = 'require "vacation"; vacation :days 3 :subject "Away" "Back on Monday";'


def test_vacation_answers_and_keeps() -> None:
    end = delivered(VACATION)
    assert (end.outcome, list(end.filings)) == ("filed", [Filing("INBOX")])
    memory = end.vacation
    assert memory is not None
    assert memory.sender == "bob@b.test"
    assert memory.until == int(NOW * 1000) + 3 * 86_400_000
    assert (memory.child.reverse_path, memory.child.recipients, memory.child.body) == ("", ["bob@b.test"], "own")
    assert b"Subject: Away\r\n" in memory.child.content
    assert b"From: alice@a.test\r\n" in memory.child.content
    assert b"In-Reply-To: <m1@b.test>\r\n" in memory.child.content
    assert end.text() == delivered(VACATION).text()


def test_vacation_is_silent_to_lists_and_robots_and_where_not_addressed() -> None:
    for headers, sender in [
        (f"List-Id: <l.b.test>\r\n{HEADERS}", "bob@b.test"),
        (HEADERS, ""),
        (HEADERS, "mailer-daemon@b.test"),
        (HEADERS.replace("alice@a.test", "undisclosed"), "bob@b.test"),
    ]:
        end = delivered(VACATION, headers, reverse_path=sender)
        assert end.vacation is None
        assert "no vacation reply" in end.rules[0]
    assert delivered(VACATION, HEADERS.replace("alice@a.test", "Sales@a.test")).vacation is not None


def test_vacation_from_somebody_else_is_not_said() -> None:
    end = delivered('require "vacation"; vacation :from "boss@c.test" "Away";')
    assert end.vacation is not None
    assert b"From: alice@a.test\r\n" in end.vacation.child.content
    end = delivered('require "vacation"; vacation :from "Sales Team <sales@a.test>" "Away";')
    assert end.vacation is not None
    assert b"From: Sales Team <sales@a.test>\r\n" in end.vacation.child.content


# --- text


TEXTS = st.text(max_size=20)


@given(TEXTS, TEXTS, st.lists(st.builds(Filing, TEXTS, st.tuples(TEXTS), st.booleans())), TEXTS, st.lists(TEXTS))
def test_the_text_is_that_of_the_contract(account: str, to: str, filings: Any, reason: str, rules: Any) -> None:
    proposal = Proposal(MAIL_ID, 7, account, "filed", to, filings=filings, script=to, reason=reason, rules=rules)
    read = Settlement.model_validate_json(proposal.text())
    assert (read.mail_id, read.n, read.account, read.delivered_to) == (MAIL_ID, 7, account, to)
    assert [Filing(f.mailbox, tuple(f.flags), f.create) for f in read.filings] == filings
    assert (read.script, read.reason, read.rules) == (to, reason, rules)


def test_lone_surrogates_do_not_spoil_the_request() -> None:
    read = Settlement.model_validate_json(Proposal(MAIL_ID, 1, "a", "filed", "x\ud800y").text())
    assert read.delivered_to == "x?y"


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_batches_are_joined_by_their_bytes(sizes: list[int]) -> None:
    batches = [AcceptedBatch(mails=[mail()] * size) for size in sizes]
    whole = joined([batch.model_dump_json().encode() for batch in batches])
    assert whole is not None
    request = SettleRequest.model_validate_json(settle_request(whole, []))
    assert request.accepted.mails == [mail for batch in batches for mail in batch.mails]


def test_a_batch_in_another_hand_is_not_joined() -> None:
    assert joined([b'{"mails":[]}', b'{ "mails": [] }']) is None
    assert joined([b'{ "mails": [] }']) == b'{ "mails": [] }'


@given(
    st.text(st.characters(max_codepoint=255), max_size=200),
    st.sampled_from(["", "Delivered-To:", "Subject: =?utf-8?b?", "From: <", "Delivered-To :alice@a.test\r\n"]),
    st.sampled_from(
        [
            VACATION,
            'require "fileinto"; if header :contains ["subject", "from"] "x" { fileinto "X"; }',
            'require "copy"; if address :domain :is "from" "b.test" { redirect :copy "c@c.test"; }',
            'require "variables"; if header :matches "subject" "*" { set "s" "${1}"; }',
        ]
    ),
    st.sampled_from(["", "bob@b.test", "ünïcode@b.test", '"quo ted"@b.test']),
)
def test_no_header_block_is_too_strange(noise: str, start: str, text: str, sender: str) -> None:
    """Whatever bytes a stranger sends as a header, the mail ends, and its settlement can be read."""
    for account in (ALICE, None):
        end = delivered(text, f"{start}{noise}\r\n\r\n", account=account, reverse_path=sender)
        assert end.outcome in ("filed", "bounced")
        assert not end.fault
