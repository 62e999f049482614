"""One spelling for every address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barid_directory.policy.addresses import canonical, canonical_domain, splits, without_detail


@pytest.mark.parametrize(
    ("written", "canonical_form"),
    [
        ("Alice@Example.ORG", "alice@example.org"),
        ("alice@example.org.", "alice@example.org"),
        ('"alice"@example.org', "alice@example.org"),
        ('"al\\ice"@example.org', "alice@example.org"),
        ('"Alice Liddell"@example.org', '"alice liddell"@example.org'),
        ('"a\\"b"@example.org', '"a\\"b"@example.org'),
        ("JOSE\u0301@example.org", "jos\u00e9@example.org"),
        ("josé@Bücher.example", "josé@xn--bcher-kva.example"),
        ("josé@XN--BCHER-KVA.example", "josé@xn--bcher-kva.example"),
        ("a+b@example.org", "a+b@example.org"),
        ("alice@[127.0.0.1]", None),
        ("alice", None),
        ("@example.org", None),
        ("alice@", None),
        ("alice@-bad.example", None),
        ("alice@bad..example", None),
        ('"@example.org', None),
        ('""@example.org', None),
        ("al\x00ice@example.org", None),
        ("a" * 250 + "@example.org", None),
        ("é" * 130 + "@example.org", None),
    ],
)
def test_spelling(written: str, canonical_form: str | None) -> None:
    assert canonical(written) == canonical_form


@given(st.text(max_size=40), st.sampled_from(["example.org", "bücher.example", "EXAMPLE.org"]))
def test_the_canonical_form_is_its_own_canonical_form(local: str, domain: str) -> None:
    once = canonical(f"{local}@{domain}")
    if once is not None:
        assert canonical(once) == once


@given(st.text(max_size=300))
def test_no_text_is_too_strange(text: str) -> None:
    canonical(text)
    canonical_domain(text)


def test_the_longest_user_comes_first() -> None:
    assert splits("a+b+c") == [("a+b", "c"), ("a", "b+c")]
    assert splits("+tag") == []
    assert splits("a+") == [("a", "")]


def test_detail_is_cut_at_the_first_delimiter() -> None:
    assert without_detail("a+b+c@example.org") == "a@example.org"
    assert without_detail("+b@example.org") == "+b@example.org"
