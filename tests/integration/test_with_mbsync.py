"""mbsync keeps a Maildir and a mailbox the same, in both directions."""

from collections.abc import Callable
from pathlib import Path

from barid_testing.mail_system import MailSystem

CONFIG = """
IMAPAccount barid
Host {host}
Port {port}
User {login}
Pass {password}
SSLType None
AuthMechs *

IMAPStore far
Account barid

MaildirStore near
Path {folder}/mail/
Inbox {folder}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
Sync All
SyncState *
"""


def test_both_directions(
    mail_system: MailSystem, program: Callable[[str], str], run: Callable[..., str], tmp_path: Path
) -> None:
    bob = mail_system.account()
    for number in range(20):
        mail_system.send("a@elsewhere.test", bob, f"mail {number}", f"body {number}")
    mail_system.expect(bob, "mail 19")
    (tmp_path / "mail").mkdir()
    host, port = mail_system.imap
    config = tmp_path / "mbsyncrc"
    config.write_text(CONFIG.format(host=host, port=port, login=bob.login, password=bob.password, folder=tmp_path))

    def sync() -> list[Path]:
        run(program("mbsync"), "-c", str(config), "-a")
        return sorted((tmp_path / "mail" / "INBOX").glob("[cn]*/*"))

    first = sync()
    assert len(first) == 20
    assert (tmp_path / "mail" / "Trash").is_dir()

    # One read here, one deleted here, one written here; one more there.
    first[0].rename(tmp_path / "mail" / "INBOX" / "cur" / (first[0].name.partition(":")[0] + ":2,S"))
    first[1].unlink()
    (tmp_path / "mail" / "Drafts" / "cur" / "1.draft:2,D").write_text("Subject: a draft of mine\n\nx\n")
    mail_system.send("a@elsewhere.test", bob, "one more")
    mail_system.expect(bob, "one more")
    assert len(sync()) == 20

    usage = mail_system.api.get(f"/v1/accounts/{bob.address}/usage")["mailboxes"]
    counts = {box["name"]: (box["messages"], box["unseen"]) for box in usage}
    assert counts["INBOX"] == (20, 19)
    assert counts["Drafts"][0] == 1
    assert len(sync()) == 20
