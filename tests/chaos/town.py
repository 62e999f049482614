"""Who lives in the system under load, and by which rules mail reaches them.

ann     gets mail, which a client moves about          team@       ann, dora, and somebody far away
bob     files lists, flags, has a folder by address    anyone@all  dora (catch-all)
carl    redirects: to dora, far away, to the sink      away.test   far away: captured
dora    gets what others pass on; a client expunges    sink.test   a foreign host that counts
vera    is on vacation
eve     submits, and keeps drafts by APPEND
"""

import imaplib
from dataclasses import dataclass

from barid_testing.api import segment
from barid_testing.mail_system import Account, MailSystem

HERE = "town.test"
ALL = "all.test"
AWAY = "away.test"
SINK = "sink.test"

BOB = """require ["fileinto", "imap4flags"];
if header :contains "Subject" "list" { fileinto "Archive"; stop; }
if header :contains "Subject" "flag" { setflag "\\\\Flagged"; keep; stop; }
"""

CARL = f"""require ["copy"];
if header :contains "Subject" "copy" {{ redirect :copy "dora@{HERE}"; }}
if header :contains "Subject" "away" {{ redirect "far@{AWAY}"; }}
if header :contains "Subject" "sink" {{ redirect "far@{SINK}"; }}
"""

VERA = """require "vacation";
vacation :days 7 "I am away.";
"""


@dataclass(frozen=True, slots=True)
class Town:
    ann: Account
    bob: Account
    carl: Account
    dora: Account
    vera: Account
    eve: Account

    @property
    def accounts(self) -> tuple[Account, ...]:
        return (self.ann, self.bob, self.carl, self.dora, self.vera, self.eve)


def settle(system: MailSystem) -> Town:
    """Make them."""
    town = Town(*(system.account(name, domain=HERE) for name in ("ann", "bob", "carl", "dora", "vera", "eve")))
    system.sieve(town.bob, BOB)
    system.sieve(town.carl, CARL)
    system.sieve(town.vera, VERA)
    system.api.send("PUT", f"/v1/domains/{ALL}", {"catch_all": town.dora.address})
    targets = [town.ann.address, town.dora.address, f"remote@{AWAY}"]
    system.api.send("PUT", f"/v1/aliases/{segment(f'team@{HERE}')}", {"targets": targets})
    for account, mailbox in ((town.bob, "Projects"), (town.ann, "Sorted")):
        with imaplib.IMAP4(*system.imap, timeout=30) as client:
            client.login(account.login, account.password)
            client.create(mailbox)
    return town
