"""The plugin in a project of somebody else: with its own settings, and what its developer sees."""

import os
import subprocess
import sys
from pathlib import Path

SHOP = """
import smtplib
from email.message import EmailMessage

def sent(smtp, to):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "shop@example.com", to, "Welcome"
    message.set_content("Dear customer")
    with smtplib.SMTP(*smtp) as client:
        client.send_message(message)

def test_any_address_will_do(mail_system):
    sent(mail_system.smtp, "kim@example.org")
    assert mail_system.expect(to="kim@example.org", subject="Welcome").where == "captured"

def test_what_fails_is_told_in_the_test_s_own_line(mail_system):
    customer = mail_system.account()
    sent(mail_system.smtp, customer.address)
    mail_system.expect(to=customer)
    mail_system.expect(to=customer, subject="Password reset", within=0.1)
"""


def run(folder: Path, *options: str) -> str:
    """The output of pytest in a project that isn't this one."""
    (folder / "test_shop.py").write_text(SHOP)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir", str(folder), *options, str(folder)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120).stdout


def test_a_shop_tests_its_mails(tmp_path: Path) -> None:
    said = run(tmp_path)
    assert "1 failed, 1 passed" in said
    assert "no such mail to user-" in said
    assert "'Welcome' in INBOX" in said
    assert "mail_system.py" not in said.partition("short test summary")[0].replace("barid_testing.mail_system", "")


def test_strangers_can_be_refused(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nbarid_relay = false\n")
    said = run(tmp_path, "-k", "any_address")
    assert "SMTPRecipientsRefused" in said


def test_it_brings_no_fixtures_but_those_of_mail(tmp_path: Path) -> None:
    brought = {line.split(" ")[0] for line in run(tmp_path, "--fixtures").splitlines()}
    assert "mail_system" in brought
    assert not brought & {"bus", "database", "postgres", "place", "manual_clock"}
