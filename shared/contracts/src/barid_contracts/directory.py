"""Who there is: domains, accounts, aliases; who may log in; where an address leads."""

from typing import Literal

from .base import Empty, Event, Message, Operation


class AuthenticateRequest(Message):
    """login: an address. service: smtp, imap, pop3, admin. ip: the client's, for the log and the limits. counted: a
    failure counts against the client's network; not where many users stand behind one address."""

    login: str
    password: str
    service: str
    ip: str = ""
    counted: bool = False


class AuthenticateReply(Message):
    """account: the id, None when refused. login: the canonical address. credential: as in `Account`.

    delay_ms: a wrong password is to be answered no sooner. wait_ms: too many have failed, so the password was not
    looked at, and will not be for that long; network_waits: whichever login comes from that network.
    """

    account: str | None = None
    login: str = ""
    reason: str = ""
    credential: str = ""
    delay_ms: int = 0
    wait_ms: int = 0
    network_waits: bool = False


AUTHENTICATE = Operation("mail.v1.directory.authenticate", AuthenticateRequest, AuthenticateReply)


class ResolveRequest(Message):
    addresses: list[str]


class Target(Message):
    """Where an address leads in the end: an account here, or a remote address."""

    kind: Literal["account", "remote"]
    address: str
    account: str | None = None
    detail: str | None = None


class Resolution(Message):
    """status: `local` (targets known), `remote` (not one of our domains), `unknown` (our domain, no such recipient),
    `loop` (aliases that lead nowhere). targets may mix accounts and remote addresses (an alias to elsewhere)."""

    address: str
    status: Literal["local", "remote", "unknown", "loop"]
    targets: list[Target] = []


class ResolveReply(Message):
    resolutions: list[Resolution]


RESOLVE = Operation("mail.v1.directory.resolve", ResolveRequest, ResolveReply)


class ExplainRequest(Message):
    address: str


class ExplainReply(Message):
    """steps: each rule that was tried, in order, in words; resolution: where they lead."""

    steps: list[str]
    resolution: Resolution


EXPLAIN = Operation("mail.v1.directory.explain", ExplainRequest, ExplainReply)


class Domain(Message):
    """catch_all: an address that gets what nobody else here gets; None refuses it."""

    name: str
    catch_all: str | None = None


class DomainList(Message):
    domains: list[Domain]


class DomainName(Message):
    name: str


DOMAIN_PUT = Operation("mail.v1.directory.manage.domain.put", Domain, Empty)
DOMAIN_LIST = Operation("mail.v1.directory.manage.domain.list", Empty, DomainList)
DOMAIN_DELETE = Operation("mail.v1.directory.manage.domain.delete", DomainName, Empty)
"""Refused (`conflict`) while it has accounts or aliases."""


class Account(Message):
    """id: opaque, never reused. address: the login and primary address. quota: bytes, 0 is without limit.
    addresses: all that are its own: the primary, and aliases that lead only to it. credential: an opaque word that is
    another one after the password was changed, so that a session can tell whether it was let in by the present one."""

    id: str
    address: str
    quota: int = 0
    enabled: bool = True
    addresses: list[str] = []
    credential: str = ""


class AccountCreate(Message):
    """imported: the password was chosen elsewhere, so its length is not judged."""

    address: str
    password: str
    quota: int = 0
    imported: bool = False


class AccountUpdate(Message):
    """None leaves a field as it is."""

    address: str
    password: str | None = None
    quota: int | None = None
    enabled: bool | None = None


class PasswordChange(Message):
    """By the user: the current password is asked."""

    login: str
    password: str
    new_password: str


class AddressName(Message):
    """cascade: when it is deleted, aliases and catch-alls that name it lose it, and an alias that names nothing then is
    deleted, too. Without it, the deletion is refused (`conflict`) while something names the address."""

    address: str
    cascade: bool = False


class AccountPage(Message):
    """A page of accounts in the order of their addresses; `next` is what to give as `after`, None at the end."""

    accounts: list[Account]
    next: str | None = None


class PageRequest(Message):
    after: str | None = None
    limit: int = 100
    domain: str | None = None


ACCOUNT_CREATE = Operation("mail.v1.directory.manage.account.create", AccountCreate, Account)
ACCOUNT_UPDATE = Operation("mail.v1.directory.manage.account.update", AccountUpdate, Account)
ACCOUNT_DELETE = Operation("mail.v1.directory.manage.account.delete", AddressName, Empty)
ACCOUNT_LIST = Operation("mail.v1.directory.manage.account.list", PageRequest, AccountPage)
PASSWORD_CHANGE = Operation("mail.v1.directory.password", PasswordChange, Empty)


class Ban(Message):
    """network: an address, or a prefix. login: None for all who come from there. count: bans so far, each twice as long
    as the one before. until_ms: epoch."""

    network: str
    login: str | None = None
    count: int
    until_ms: int


class BanList(Message):
    bans: list[Ban]


class BanLift(Message):
    """login None: all that is counted against the network, by whichever login."""

    network: str
    login: str | None = None


BAN_LIST = Operation("mail.v1.directory.manage.ban.list", Empty, BanList)
"""Those that last, the longest first; 1,000 at most."""

BAN_LIFT = Operation("mail.v1.directory.manage.ban.lift", BanLift, Empty)
"""Also forgets failures that are counted and not a ban yet. `not_found` when nothing is. Doors that have been told to
let a network wait may do so for some seconds more."""


class AccountLookup(Message):
    """By id or by address; one of them."""

    id: str | None = None
    address: str | None = None


ACCOUNT_GET = Operation("mail.v1.directory.account", AccountLookup, Account)
"""Problem `not_found` when there is none (any more)."""


class Alias(Message):
    """targets: local or remote addresses."""

    address: str
    targets: list[str]


class AliasPage(Message):
    aliases: list[Alias]
    next: str | None = None


ALIAS_PUT = Operation("mail.v1.directory.manage.alias.put", Alias, Empty)
ALIAS_LIST = Operation("mail.v1.directory.manage.alias.list", PageRequest, AliasPage)
ALIAS_DELETE = Operation("mail.v1.directory.manage.alias.delete", AddressName, Empty)


class DirectoryChanged(Message):
    """Something cached may be wrong now. account: the one that changed (with its new record, None if it is gone);
    addresses: those whose resolution may differ, each also with any detail (`user@…` stands for `user+x@…` as well);
    everything: forget all (a domain changed, or the directory has just started)."""

    account: str | None = None
    record: Account | None = None
    addresses: list[str] = []
    everything: bool = False


DIRECTORY_CHANGED = Event("mail.v1.directory.changed", DirectoryChanged)
