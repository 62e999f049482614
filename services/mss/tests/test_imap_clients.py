"""Clients that nobody here wrote."""

import asyncio
import imaplib
import ssl

import imapclient

from .house import PASSWORD, House, letter


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def test_imaplib(house: House) -> None:
    await house.deliver("bob", message=letter("for imaplib"))

    def visit() -> None:
        with imaplib.IMAP4("127.0.0.1", house.port("imap"), timeout=10) as box:
            box.starttls(_context())
            box.login("bob@here.test", PASSWORD)
            assert box.select("INBOX") == ("OK", [b"1"])
            assert box.search(None, "SUBJECT", "imaplib") == ("OK", [b"1"])
            _, data = box.fetch("1", "(RFC822)")
            assert isinstance(data[0], tuple)
            assert b"for imaplib" in data[0][1]
            assert (
                box.append("Drafts", r"(\Draft)", imaplib.Time2Internaldate(1_700_000_000), letter("draft"))[0] == "OK"
            )
            assert box.store("1", "+FLAGS", r"(\Deleted)")[0] == "OK"
            assert box.expunge() == ("OK", [b"1"])
            assert box.status("Drafts", "(MESSAGES)")[1] == [b"Drafts (MESSAGES 1)"]

    await asyncio.to_thread(visit)


async def test_imapclient(house: House) -> None:
    await house.deliver("bob", message=letter("for IMAPClient"))

    def visit() -> None:
        with imapclient.IMAPClient("127.0.0.1", house.port("imaps"), ssl_context=_context(), timeout=10) as box:
            box.login("bob@here.test", PASSWORD)
            names = {name for _, _, name in box.list_folders()}
            assert {"INBOX", "Sent", "Trash"} <= names
            assert box.find_special_folder(imapclient.imapclient.SENT) == "Sent"
            box.create_folder("Grüße")
            assert box.folder_exists("Grüße")
            assert box.select_folder("INBOX")[b"EXISTS"] == 1
            (uid,) = box.search(["UNSEEN"])
            message = box.fetch([uid], ["ENVELOPE", "BODY[]", "FLAGS", "BODYSTRUCTURE"])[uid]
            assert message[b"ENVELOPE"].subject == b"for IMAPClient"
            assert message[b"FLAGS"] == (imapclient.SEEN, imapclient.imapclient.RECENT)
            box.move([uid], "Grüße")
            assert box.folder_status("Grüße", ["MESSAGES"]) == {b"MESSAGES": 1}
            box.idle()
            assert box.idle_check(timeout=0.1) == []
            box.idle_done()

    await asyncio.to_thread(visit)
