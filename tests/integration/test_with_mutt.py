"""mutt, without a screen: sends through submission, files a copy by IMAP, and works on a mailbox by a macro."""

from collections.abc import Callable
from pathlib import Path

from barid_testing.mail_system import Account, MailSystem

Run = Callable[..., str]
Program = Callable[[str], str]


def configure(system: MailSystem, account: Account, folder: Path) -> str:
    config = folder / f"{account.address}.muttrc"
    login = account.login.replace("@", "%40")
    config.write_text(
        f'set from="{account.address}" realname="A Person" ssl_starttls=no ssl_force_tls=no use_domain=no\n'
        f'set smtp_url="smtp://{login}@{system.submission.host}:{system.submission.port}/"\n'
        f'set smtp_pass="{account.password}" imap_pass="{account.password}" imap_user="{account.login}"\n'
        f'set folder="imap://{system.imap.host}:{system.imap.port}/" spoolfile="+INBOX" record="+Sent"\n'
        f"set copy=yes quit=yes delete=yes move=no sleep_time=0 wait_key=no tmpdir={folder}\n"
        f"set header_cache= certificate_file={folder}/certificates\n"
    )
    return str(config)


def test_sends_and_keeps_a_copy(mail_system: MailSystem, program: Program, run: Run, tmp_path: Path) -> None:
    alice, bob = mail_system.account(), mail_system.account()
    (tmp_path / "picture.gif").write_bytes(b"GIF89a\x01\x00\x01\x00\x00\x00\x00;")
    run(
        *(program("mutt"), "-F", configure(mail_system, alice, tmp_path)),
        *("-s", "by mutt", "-a", str(tmp_path / "picture.gif"), "--", bob.address),
        stdin="hello from mutt\n",
        env={"TERM": "xterm"},
    )
    mail = mail_system.expect(bob, "by mutt")
    assert mail.text.strip() == "hello from mutt"
    assert next(mail.content.iter_attachments()).get_content_type() == "image/gif"
    assert mail_system.expect(alice, "by mutt").mailbox == "Sent"


def test_deletes_by_pattern(mail_system: MailSystem, program: Program, run: Run, tmp_path: Path) -> None:
    bob = mail_system.account()
    for subject in ("keep this", "drop this", "keep that"):
        mail_system.send("a@elsewhere.test", bob, subject)
        mail_system.expect(bob, subject)
    run(
        *("script", "-qec", f"{program('mutt')} -F {configure(mail_system, bob, tmp_path)}"),
        "/dev/null",
        stdin="D~s drop\nq",
        env={"TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
    )
    items = mail_system.api.get(f"/v1/accounts/{bob.address}/messages")["items"]
    assert sorted(item["subject"] for item in items) == ["keep that", "keep this"]
