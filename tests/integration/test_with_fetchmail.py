"""fetchmail takes mail from one mailbox, by POP3 or IMAP, and gives it to the next system by LMTP or SMTP."""

from collections.abc import Callable
from pathlib import Path

import pytest

from barid_testing.mail_system import MailSystem


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_fetches_and_hands_on(
    mail_system: MailSystem, program: Callable[[str], str], run: Callable[..., str], tmp_path: Path, protocol: str
) -> None:
    bob, carol = mail_system.account(), mail_system.account()
    for number in range(3):
        mail_system.send("a@elsewhere.test", bob, f"mail {number}", f"body {number}")
    mail_system.expect(bob, "mail 2")
    host, port = mail_system.pop3 if protocol == "pop3" else mail_system.imap
    config = tmp_path / "fetchmailrc"
    config.write_text(
        f'set postmaster "root"\nset no bouncemail\n'
        f'poll {host} service {port} protocol {protocol} user "{bob.login}" password "{bob.password}"\n'
        f'  smtphost "{mail_system.smtp.host}/{mail_system.smtp.port}" smtpname "{carol.address}"\n'
        f'  sslproto "" fetchall no keep no rewrite\n'
    )
    config.chmod(0o600)
    run(
        *(program("fetchmail"), "-f", str(config), "--pidfile", str(tmp_path / "pid")),
        *("-i", str(tmp_path / "ids"), "--nodetach", "-v"),
    )
    for number in range(3):
        assert mail_system.expect(carol, f"mail {number}", within=20).text.strip() == f"body {number}"
    assert mail_system.api.get(f"/v1/accounts/{bob.address}/usage")["messages"] == 0
