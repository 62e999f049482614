"""The policy of resolution, on a directory written by hand."""

from hypothesis import given
from hypothesis import strategies as st

from barid_contracts.directory import Resolution
from barid_directory.policy.addresses import canonical, without_detail
from barid_directory.policy.ownership import affected, own_addresses
from barid_directory.policy.resolution import MAX_TARGETS, explain, resolve
from barid_directory.ports import AccountRow, AliasRow, DomainRow


class WrittenBook:
    """A Book in memory, written down by hand."""

    def __init__(
        self,
        domains: dict[str, str | None],
        accounts: list[str] = [],  # noqa: B006
        aliases: dict[str, list[str]] = {},  # noqa: B006
    ) -> None:
        self._domains = {name: DomainRow(name, catch_all) for name, catch_all in domains.items()}
        self._accounts = {a: AccountRow(f"id-{a}", a, 0, True, "") for a in accounts}
        self._aliases = {a: AliasRow(a, tuple(targets)) for a, targets in aliases.items()}
        self.look_ups = 0

    def domain(self, name: str) -> DomainRow | None:
        return self._domains.get(name)

    def domains(self) -> list[DomainRow]:
        return [self._domains[name] for name in sorted(self._domains)]

    def account(self, address: str) -> AccountRow | None:
        self.look_ups += 1
        return self._accounts.get(address)

    def account_by_id(self, account: str) -> AccountRow | None:
        return next((row for row in self._accounts.values() if row.id == account), None)

    def first_account(self, domain: str | None) -> AccountRow | None:
        of_domain = [r for a, r in self._accounts.items() if domain in (None, a.rpartition("@")[2])]
        return of_domain[0] if of_domain else None

    def accounts(self, after: str, limit: int, domain: str | None) -> list[AccountRow]:
        return [r for a, r in sorted(self._accounts.items()) if a > after][:limit]

    def alias(self, address: str) -> AliasRow | None:
        self.look_ups += 1
        return self._aliases.get(address)

    def aliases(self, after: str, limit: int, domain: str | None) -> list[AliasRow]:
        return [r for a, r in sorted(self._aliases.items()) if a > after][:limit]

    def aliases_to(self, address: str, limit: int) -> list[str]:
        return [
            a
            for a, row in self._aliases.items()
            if any(without_detail(canonical(t) or t) == address for t in row.targets)
        ][:limit]


def led_to(resolution: Resolution) -> list[str]:
    return [t.address + (f" detail={t.detail}" if t.detail is not None else "") for t in resolution.targets]


def test_an_account_gets_its_own_mail() -> None:
    book = WrittenBook({"a.test": None}, ["alice@a.test"])
    found = resolve(book, "Alice@A.test")
    assert (found.address, found.status) == ("Alice@A.test", "local")
    assert found.targets[0].account == "id-alice@a.test"
    assert found.targets[0].address == "alice@a.test"


def test_a_domain_that_is_not_ours_is_remote_and_spelled_as_given() -> None:
    found = resolve(WrittenBook({"a.test": None}), "Bob@Elsewhere.test")
    assert (found.status, led_to(found)) == ("remote", ["Bob@Elsewhere.test"])
    assert resolve(WrittenBook({"a.test": None}), "bob@[192.0.2.1]").status == "remote"


def test_nobody_is_unknown() -> None:
    book = WrittenBook({"a.test": None}, ["alice@a.test"])
    assert resolve(book, "bob@a.test").status == "unknown"
    assert resolve(book, "bob").status == "unknown"
    assert resolve(book, "bad\x00@a.test").status == "unknown"
    assert resolve(book, "").status == "unknown"


def test_aliases_are_followed_and_every_account_comes_once() -> None:
    book = WrittenBook(
        {"a.test": None},
        ["alice@a.test", "bob@a.test"],
        {
            "staff@a.test": ["alice@a.test", "team@a.test", "Carol@Elsewhere.test"],
            "team@a.test": ["alice+team@a.test", "bob@a.test", "Carol@Elsewhere.test"],
        },
    )
    assert led_to(resolve(book, "staff@a.test")) == ["alice@a.test", "bob@a.test", "Carol@Elsewhere.test"]


def test_plus_addressing_prefers_the_longest_user() -> None:
    book = WrittenBook({"a.test": None}, ["alice@a.test", "alice+work@a.test"], {"sales@a.test": ["alice@a.test"]})
    assert led_to(resolve(book, "alice+lists@a.test")) == ["alice@a.test detail=lists"]
    assert led_to(resolve(book, "alice+work@a.test")) == ["alice+work@a.test"]
    assert led_to(resolve(book, "alice+work+x@a.test")) == ["alice+work@a.test detail=x"]
    assert led_to(resolve(book, "alice+b+c@a.test")) == ["alice@a.test detail=b+c"]
    assert led_to(resolve(book, "sales+eu@a.test")) == ["alice@a.test detail=eu"]


def test_a_detail_keeps_its_letters() -> None:
    book = WrittenBook({"a.test": None}, ["alice@a.test"])
    assert led_to(resolve(book, "ALICE+Lists@A.test")) == ["alice@a.test detail=Lists"]
    assert led_to(resolve(book, "alice+\u0130@a.test"))[0].startswith("alice@a.test detail=")


def test_a_detail_in_the_alias_wins_over_the_one_in_the_address() -> None:
    book = WrittenBook({"a.test": None}, ["alice@a.test"], {"lists@a.test": ["alice+lists@a.test"]})
    assert led_to(resolve(book, "lists+python@a.test")) == ["alice@a.test detail=lists"]


def test_loops_are_cut() -> None:
    book = WrittenBook(
        {"a.test": None},
        ["alice@a.test"],
        {
            "one@a.test": ["two@a.test"],
            "two@a.test": ["one@a.test"],
            "self@a.test": ["self@a.test", "alice@a.test"],
            "dangling@a.test": ["nobody@a.test"],
        },
    )
    assert resolve(book, "one@a.test").status == "loop"
    assert resolve(book, "dangling@a.test").status == "loop"
    assert led_to(resolve(book, "self@a.test")) == ["alice@a.test"]


def test_aliases_are_not_followed_for_ever() -> None:
    chain = {f"c{n}@a.test": [f"c{n + 1}@a.test"] for n in range(50)}
    book = WrittenBook({"a.test": None}, ["c50@a.test"], chain)
    assert resolve(book, "c0@a.test").status == "loop"
    assert resolve(book, "c41@a.test").status == "local"


def test_targets_are_bounded() -> None:
    many = [f"u{n}@elsewhere.test" for n in range(MAX_TARGETS + 50)]
    book = WrittenBook({"a.test": None}, [], {"all@a.test": many})
    assert len(resolve(book, "all@a.test").targets) == MAX_TARGETS


def test_catch_all_gets_what_nobody_else_gets() -> None:
    book = WrittenBook({"a.test": "alice@a.test", "b.test": "nobody@b.test"}, ["alice@a.test"])
    assert led_to(resolve(book, "whoever@a.test")) == ["alice@a.test"]
    assert resolve(book, "whoever@b.test").status == "loop"


def test_postmaster_always_leads_somewhere() -> None:
    book = WrittenBook(
        {"a.test": "bob@a.test", "b.test": None, "c.test": None},
        ["alice@a.test", "bob@a.test"],
        {"postmaster@c.test": ["bob@a.test"]},
    )
    assert led_to(resolve(book, "Postmaster@a.test")) == ["alice@a.test"]  # its first account, not its catch-all
    assert led_to(resolve(book, "postmaster@b.test")) == ["alice@a.test"]  # the system's first account
    assert led_to(resolve(book, "postmaster@c.test")) == ["bob@a.test"]  # its own
    assert led_to(resolve(book, "postmaster@b.test", postmaster="bob@a.test")) == ["bob@a.test"]
    assert led_to(resolve(book, "postmaster@b.test", postmaster="nobody@a.test")) == ["bob@a.test"]  # by catch-all
    assert led_to(resolve(book, "postmaster@b.test", postmaster="postmaster@b.test")) == ["alice@a.test"]
    assert led_to(resolve(book, "PostMaster", postmaster="bob+root@a.test")) == ["bob@a.test detail=root"]
    assert led_to(resolve(book, "postmaster")) == ["bob@a.test"]
    assert resolve(WrittenBook({"a.test": None}), "postmaster@a.test").status == "unknown"


def test_a_broken_postmaster_alias_is_no_hole() -> None:
    book = WrittenBook({"a.test": None}, ["alice@a.test"], {"postmaster@a.test": ["gone@a.test"]})
    assert led_to(resolve(book, "postmaster@a.test")) == ["alice@a.test"]
    assert led_to(resolve(book, "postmaster")) == ["alice@a.test"]


def test_smtputf8_spellings_are_one() -> None:
    book = WrittenBook({"xn--bcher-kva.example": None}, ["josé@xn--bcher-kva.example"])
    assert resolve(book, "JOSE\u0301@Bücher.example").status == "local"


def test_explain_tells_each_step() -> None:
    book = WrittenBook({"a.test": "alice@a.test"}, ["alice@a.test"], {"sales@a.test": ["alice@a.test"]})
    steps, resolution = explain(book, "sales+eu@a.test")
    assert steps == [
        "sales+eu@a.test is neither an account nor an alias",
        "sales@a.test is an alias of alice@a.test",
        "alice@a.test is an account; the detail is 'eu'",
        "sales+eu@a.test is local; to account alice@a.test",
    ]
    assert resolution == resolve(book, "sales+eu@a.test")


LOCALS = st.sampled_from(["a", "b", "c", "d", "a+x", "postmaster"])
ADDRESSES = st.builds(
    lambda local, domain: f"{local}@{domain}", LOCALS, st.sampled_from(["a.test", "b.test", "x.test"])
)
BOOKS = st.builds(
    lambda domains, accounts, aliases: WrittenBook(
        domains, sorted(accounts), {k: v for k, v in aliases.items() if k not in accounts}
    ),
    st.dictionaries(st.sampled_from(["a.test", "b.test"]), st.none() | ADDRESSES),
    st.sets(ADDRESSES, max_size=4),
    st.dictionaries(ADDRESSES, st.lists(ADDRESSES, min_size=1, max_size=4), max_size=6),
)


@given(BOOKS, ADDRESSES | st.text(max_size=20), st.just("") | ADDRESSES)
def test_every_directory_has_an_end(book: WrittenBook, address: str, postmaster: str) -> None:
    """Whatever is configured: the walk is short, status and targets agree, nobody comes twice, explain agrees."""
    resolution = resolve(book, address, postmaster=postmaster)
    assert book.look_ups < 200
    assert (resolution.status in ("local", "remote")) == bool(resolution.targets)
    keys = [t.account or t.address for t in resolution.targets]
    assert len(keys) == len(set(keys))
    assert explain(book, address, postmaster=postmaster)[1] == resolution


@given(BOOKS, ADDRESSES)
def test_what_leads_to_an_account_is_among_the_affected(book: WrittenBook, address: str) -> None:
    row = book.account(address)
    if row is not None:
        assert set(own_addresses(book, row.id, address)) <= set(affected(book, address))


def test_own_addresses_are_those_that_lead_only_to_the_account() -> None:
    book = WrittenBook(
        {"a.test": None},
        ["alice@a.test", "bob@a.test"],
        {
            "sales@a.test": ["shop@a.test"],
            "shop@a.test": ["alice+shop@a.test"],
            "staff@a.test": ["alice@a.test", "bob@a.test"],
        },
    )
    assert own_addresses(book, "id-alice@a.test", "alice@a.test") == ["alice@a.test", "shop@a.test", "sales@a.test"]
    assert affected(book, "bob@a.test") == ["bob@a.test", "staff@a.test"]
