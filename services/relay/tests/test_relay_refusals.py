"""What other hosts say and do, and what becomes of the mail and its sender."""

import asyncio
from ipaddress import ip_network
from typing import Any

from barid_relay.adapters.smtp.timeouts import Timeouts

from .foreign import Conversation, Foreign
from .office import BODY, QUICK, Office


async def test_each_recipient_has_its_own_outcome(office: Office, start: Any) -> None:
    replies: dict[str, Any] = {
        "RCPT TO:<nobody@far.test>": "550 5.1.1 no such user",
        "RCPT TO:<full@far.test>": "452 4.2.2 mailbox full",
        "RCPT TO:<gone@far.test>": "551-5.1.6 moved\r\n551 5.1.6 away",
    }
    async with Foreign(replies=replies).open() as far:
        await start(routes={"far.test": far.route})
        mail_id = await office.mail("bob@far.test", "nobody@far.test", "gone@far.test", "full@far.test")
        await office.outcome(mail_id, "relayed", "bounced", "bounced")
        # "full" was asked again at once, as 452 may mean "too many at a time", then deferred.
        item = await office.deferred(mail_id)
        assert (item.n, item.last_error) == (3, "127.0.0.1: 452 4.2.2 mailbox full")
        assert far.taken[0].recipients == ["bob@far.test"]
        assert far.commands.count("RCPT TO:<full@far.test>") == 2


async def test_the_sender_is_told_once_of_all_that_failed_together(office: Office, start: Any) -> None:
    replies: dict[str, Any] = {"RCPT": "550 5.1.1 <script>no such\x07 user"}
    async with Foreign(replies=replies).open() as far:
        await start(routes={"far.test": far.route})
        mail_id = await office.mail("x@far.test", "y@far.test")
        mail, notice = await office.notice()
        assert mail.reverse_path == ""
        assert mail.parent == mail_id
        assert [o.address for o in mail.obligations] == ["ann@here.test"]
        assert notice.get_content_type() == "multipart/report"
        assert notice.get_param("report-type") == "delivery-status"
        assert notice["To"] == "<ann@here.test>"
        assert notice["From"] == "Mail Delivery System <MAILER-DAEMON@relay.here.test>"
        text, status, original = notice.get_payload()  # type: ignore[misc]
        of_mail, *of_recipients = status.get_payload()  # type: ignore[union-attr]
        assert of_mail["Reporting-MTA"] == "dns; relay.here.test"
        assert [each["Final-Recipient"] for each in of_recipients] == ["rfc822; x@far.test", "rfc822; y@far.test"]
        for each in of_recipients:
            assert each["Action"] == "failed"
            assert each["Status"] == "5.1.1"
            assert each["Remote-MTA"] == "dns; 127.0.0.1"
            assert each["Diagnostic-Code"] == "smtp; 550 5.1.1 <script>no such? user"
        assert "no such? user" in text.get_payload()  # type: ignore[union-attr]
        header = original.get_payload()  # type: ignore[union-attr]
        assert "Subject: hello" in header
        assert header.startswith("Received: from client.here.test")
        assert "Good morning" not in header
        steps = await office.steps(mail_id)
        assert [step.what for step in steps] == ["accepted", "bounced", "bounced", "child"]
        assert steps[-1].mail_id == mail.mail_id
        await office.silence()


async def test_the_null_sender_is_told_nothing(office: Office, start: Any) -> None:
    async with Foreign(replies={"RCPT": "550 5.1.1 no"}).open() as far:
        await start(routes={"far.test": far.route})
        mail_id = await office.mail("x@far.test", reverse_path="")
        await office.outcome(mail_id, "bounced")
        await office.silence()
        assert "nobody is told" in (await office.steps(mail_id))[-1].detail


async def test_a_sender_elsewhere_is_told_through_the_queue(office: Office, start: Any) -> None:
    async with Foreign(replies={"RCPT TO:<x@far.test>": "550 no"}).open() as far:
        await start(routes={"far.test": far.route})
        await office.mail("x@far.test", reverse_path="pen@far.test")
        await office.until(lambda: far.taken)
        assert far.taken[0].reverse_path == ""
        assert far.taken[0].recipients == ["pen@far.test"]
        assert b"Final-Recipient: rfc822; x@far.test" in far.taken[0].body


async def test_a_refused_sender_or_message_is_refused_for_all(office: Office, start: Any) -> None:
    async with Foreign(replies={"MAIL": "550 5.7.1 not you"}).open() as far:
        await start(routes={"far.test": far.route})
        await office.outcome(await office.mail("a@far.test", "b@far.test"), "bounced", "bounced")
        far.replies = {"BODY": "554 5.7.1 spam"}
        await office.outcome(await office.mail("a@far.test", "b@far.test"), "bounced", "bounced")
        far.replies = {"DATA": "554 5.5.1 no"}
        await office.outcome(await office.mail("a@far.test"), "bounced")


async def test_what_is_transient_is_tried_later(office: Office, start: Any) -> None:
    for scripted in (
        {"GREETING": "421 4.3.2 busy"},
        {"GREETING": "554 5.7.1 you are on a list"},
        {"EHLO": "421 4.3.2 busy"},
        {"MAIL": "451 4.3.0 later"},
        {"RCPT": "450 4.2.0 greylisted"},
        {"DATA": "421 4.3.2 closing"},
        {"BODY": "452 4.3.1 disk full"},
        {"RCPT": "352 nonsense"},
        {"EHLO": "not smtp at all"},
        {"GREETING": "HTTP/1.1 400 Bad Request"},
        {"EHLO": "\r\n".join(["250-feature"] * 200) + "\r\n250 last"},
        {"EHLO": "250 " + "x" * 10_000},
        {"RCPT": "250-" + "x" * 100_000},
        {"MAIL": "421 4.7.0 tired of you"},
        {"RCPT": "421 4.7.0 tired of you"},
        {"BODY": "421 4.7.0 tired of you"},
    ):
        async with Foreign(replies=dict(scripted)).open() as far:
            relay = await start(routes={"far.test": far.route})
            mail_id = await office.mail("a@far.test")
            item = await office.deferred(mail_id)
            assert item.last_error
            assert item.due - item.queued >= 900_000
            assert await office.act("bounce", (mail_id, 0)) == 1
            await office.notice()
            await relay.drain()


async def test_what_is_said_of_the_message_is_for_those_who_were_accepted(office: Office, start: Any) -> None:
    """Partly accepted, then refused whole: each recipient keeps what was said of it."""
    replies: dict[str, Any] = {"RCPT TO:<b@far.test>": "550 5.1.1 no such user", "BODY": "451 4.3.0 later"}
    async with Foreign(replies=replies).open() as far:
        await start(routes={"far.test": far.route})
        mail_id = await office.mail("a@far.test", "b@far.test", "c@far.test")
        await office.outcome(mail_id, "bounced")
        waiting = [item for item in await office.queued() if item.mail_id == mail_id]
        assert [(item.n, item.last_error) for item in waiting] == [
            (0, "127.0.0.1: 451 4.3.0 later"),
            (2, "127.0.0.1: 451 4.3.0 later"),
        ]
        far.replies["BODY"] = "554 5.7.1 spam"
        assert await office.act("retry") == 2
        await office.outcome(mail_id, "bounced", "bounced", "bounced")
        said = {step.n: step.detail for step in await office.steps(mail_id) if step.what == "bounced"}
        assert said == {
            0: "127.0.0.1: 554 5.7.1 spam",
            1: "127.0.0.1: 550 5.1.1 no such user",
            2: "127.0.0.1: 554 5.7.1 spam",
        }
        # Who was refused is not named again, and nobody gets data that is for none.
        assert far.commands.count("RCPT TO:<b@far.test>") == 1
        assert far.taken == []


async def test_a_host_that_drips_replies_does_not_hold_a_worker(office: Office, start: Any) -> None:
    async def drip(conversation: Conversation) -> str | None:
        while True:
            await conversation.say("250-and")
            await asyncio.sleep(0.1)

    timeouts = Timeouts(greeting=0.5, hello=0.5, envelope=0.4, envelope_whole=0.8, final=0.5)
    for where, said in (("EHLO", "EHLO"), ("RCPT", "the envelope"), ("BODY", "the end of the message")):
        async with Foreign(replies={where: drip}).open() as far:
            relay = await start(routes={"far.test": far.route}, timeouts=timeouts)
            mail_id = await office.mail("a@far.test")
            assert f"no answer to {said} in time" in (await office.deferred(mail_id)).last_error
            await office.act("bounce")
            await relay.drain()


async def test_a_host_that_is_tired_of_us_is_left_alone(office: Office, start: Any) -> None:
    """It is not dialled for each mail that waits; the others stay due, as they were."""
    async with Foreign(replies={"EHLO": "250 mx", "MAIL": "421 4.7.0 too much from you"}).open() as far:
        mails = [await office.mail(f"u{k}@far.test") for k in range(12)]
        await office.publisher.idle()
        await start(routes={"far.test": far.route}, connections_per_destination=1)
        await office.until(lambda: far.connections >= 3)
        await asyncio.sleep(0.3)
        assert far.connections == 3
        items = sorted(await office.queued(), key=lambda item: item.mail_id)
        assert [item.attempts for item in items] == [1] * 3 + [0] * 9
        assert [item.state for item in items[3:]] == ["due"] * 9
        # Had it been those three mails that the host can't bear, the others would be first now.
        far.replies.clear()
        await office.act("retry", (mails[-1], 0))
        for mail_id in mails[3:]:
            await office.outcome(mail_id, "relayed")


async def test_a_mail_that_a_host_can_not_bear_hinders_no_other(office: Office, start: Any) -> None:
    async def hang_up(conversation: Conversation) -> str:
        conversation.hang_up()
        return ""

    async with Foreign(replies={"RCPT TO:<bad@far.test>": hang_up}).open() as far:
        await start(routes={"far.test": far.route}, connections_per_destination=1)
        bad = [await office.mail("bad@far.test") for _ in range(2)]
        good = await office.mail("good@far.test")
        await office.outcome(good, "relayed")
        for mail_id in bad:
            await office.deferred(mail_id)


async def test_a_named_host_that_wants_a_log_in_is_the_operators_to_mend(office: Office, start: Any) -> None:
    """Mail waits for the settings; towards a host that the DNS named it is given back."""
    for where in ("MAIL", "RCPT", "BODY"):
        async with Foreign(replies={where: "530 5.7.0 log in first"}).open() as far:
            relay = await start(outbound="smarthost", smarthost=far.route)
            mail_id = await office.mail("a@far.test")
            assert "530 5.7.0" in (await office.deferred(mail_id)).last_error
            await office.act("bounce")
            await office.notice()
            await relay.drain()
    async with Foreign(replies={"MAIL": "530 5.7.0 log in first"}).open() as far:
        await start(outbound="direct", mx_port=far.port, dial_networks=(ip_network("127.0.0.0/8"),))
        await office.outcome(await office.mail("a@[127.0.0.1]"), "bounced")


async def test_a_host_that_never_takes_mail_is_believed_if_the_dns_led_there(office: Office, start: Any) -> None:
    async with Foreign(replies={"GREETING": "521 5.3.2 no mail here"}).open() as far:
        await start(outbound="direct", mx_port=far.port, dial_networks=(ip_network("127.0.0.0/8"),))
        await office.outcome(await office.mail("a@[127.0.0.1]"), "bounced")


async def test_no_host_at_all(office: Office, start: Any) -> None:
    await start(routes={"far.test": "127.0.0.1:1"})
    item = await office.deferred(await office.mail("a@far.test"))
    assert "no connection: Connect" in item.last_error
    assert "[127.0.0.1]:1" in item.last_error


async def test_hung_up_within_data(office: Office, start: Any) -> None:
    async with Foreign(drop_after=300).open() as far:
        await start(routes={"far.test": far.route}, connections_per_destination=1)
        item = await office.deferred(await office.mail("a@far.test", body=BODY + b"x" * 60 + b"\r\n" * 9000))
        assert not far.taken[0].whole
        assert item.attempts == 1


async def test_refused_within_data(office: Office, start: Any) -> None:
    async def enough(conversation: Conversation) -> str | None:
        await conversation.say("354 go on")
        await conversation.reader.read(1000)
        await conversation.say("552 5.3.4 too much")
        await asyncio.sleep(0.2)
        conversation.hang_up()
        return None

    async with Foreign(replies={"DATA": enough}).open() as far:
        await start(routes={"far.test": far.route}, timeouts=Timeouts(data_block=2.0))
        mail_id = await office.mail("a@far.test", body=BODY + b"0123456789\r\n" * 500_000)
        await office.outcome(mail_id, "bounced")
        assert "552 5.3.4" in (await office.steps(mail_id))[1].detail


async def test_lost_after_the_final_dot_is_tried_again(office: Office, start: Any) -> None:
    """Whether it was taken is not known: twice is better than never."""

    async def hang_up(conversation: Conversation) -> str:
        conversation.hang_up()
        return ""

    async with Foreign(replies={"BODY": hang_up}).open() as far:
        await start(routes={"far.test": far.route})
        mail_id = await office.mail("a@far.test")
        await office.deferred(mail_id)
        far.replies.clear()
        assert await office.act("retry", (mail_id, 0)) == 1
        await office.outcome(mail_id, "relayed")


async def test_hosts_that_say_nothing_are_not_waited_for_for_ever(office: Office, start: Any) -> None:
    async def never(conversation: Conversation) -> str:
        await asyncio.sleep(60)
        return ""

    for where, said in (
        ("GREETING", "its greeting"),
        ("EHLO", "EHLO"),
        ("RCPT", "the envelope"),
        ("BODY", "the end of the message"),
    ):
        async with Foreign(replies={where: never}).open() as far:
            relay = await start(routes={"far.test": far.route}, timeouts=QUICK)
            mail_id = await office.mail("a@far.test")
            assert f"no answer to {said} in time" in (await office.deferred(mail_id)).last_error
            await office.act("bounce")
            await relay.drain()


async def test_a_host_that_stops_reading(office: Office, start: Any) -> None:
    async def stop(conversation: Conversation) -> str | None:
        await conversation.say("354 go on")
        conversation.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(60)
        return None

    async with Foreign(replies={"DATA": stop}, features=("8BITMIME",)).open() as far:
        await start(routes={"far.test": far.route}, timeouts=QUICK)
        mail_id = await office.mail("a@far.test", body=BODY + b"0123456789\r\n" * 1_200_000)
        assert "doesn't take" in (await office.deferred(mail_id)).last_error


async def test_too_many_recipients_are_sent_in_turns(office: Office, start: Any) -> None:
    async def ten_at_most(conversation: Conversation) -> str:
        return "250 ok" if len(conversation.recipients) < 10 else "452 4.5.3 too many recipients"

    async with Foreign(replies={"RCPT": ten_at_most}).open() as far:
        await start(routes={"far.test": far.route})
        mail_id = await office.mail(*[f"u{k}@far.test" for k in range(25)])
        await office.outcome(mail_id, *["relayed"] * 25)
        assert [len(taken.recipients) for taken in far.taken] == [10, 10, 5]
        assert far.connections == 1


async def test_an_idle_host_that_has_hung_up_is_dialled_again(office: Office, start: Any) -> None:
    gone: list[Conversation] = []

    async def keep(conversation: Conversation) -> str:
        gone.append(conversation)
        return "250 ok"

    async with Foreign(replies={"BODY": keep}).open() as far:
        await start(routes={"far.test": far.route})
        await office.outcome(await office.mail("a@far.test"), "relayed")
        gone[0].writer.transport.abort()
        await office.outcome(await office.mail("b@far.test"), "relayed")
        assert far.connections == 2

        async def tired(conversation: Conversation) -> str | None:
            if len(far.taken) == 2 and conversation is gone[1]:
                await conversation.say("421 4.4.2 too long idle")
                conversation.hang_up()
            return "250 ok"

        far.replies["MAIL"] = tired
        await office.outcome(await office.mail("c@far.test"), "relayed")
        assert far.connections == 3


async def test_old_hosts(office: Office, start: Any) -> None:
    """No EHLO, no pipelining: command by command."""
    async with Foreign(replies={"EHLO": "502 5.5.1 what?"}).open() as far:
        await start(routes={"far.test": far.route})
        mail_id = await office.mail("a@far.test", "b@far.test")
        await office.outcome(mail_id, "relayed", "relayed")
        assert far.commands[:2] == ["EHLO relay.here.test", "HELO relay.here.test"]
        assert far.taken[0].mail_command == "MAIL FROM:<ann@here.test>"


async def test_what_a_host_can_not_take_is_given_back(office: Office, start: Any) -> None:
    async with Foreign(features=("SIZE 200",)).open() as far:
        await start(routes={"far.test": far.route, "bücher.test": far.route, "xn--bcher-kva.test": far.route})
        mail_id = await office.mail("a@far.test", body=BODY * 10)
        await office.outcome(mail_id, "bounced")
        assert (await office.notice())[1].get_payload()[1].get_payload()[1]["Status"] == "5.3.4"  # type: ignore[union-attr,index]
        far.features = ()
        mail_id = await office.mail("a@far.test", body="Subject: dürr\r\n\r\n".encode())
        await office.outcome(mail_id, "bounced")
        assert (await office.notice())[1].get_payload()[1].get_payload()[1]["Status"] == "5.6.3"  # type: ignore[union-attr,index]
        mail_id = await office.mail("jürgen@far.test", smtputf8=True)
        await office.outcome(mail_id, "bounced")
        notice = (await office.notice())[1].get_payload()[1].get_payload()[1]  # type: ignore[union-attr,index]
        assert notice["Status"] == "5.6.7"
        assert notice["Final-Recipient"] == r"utf-8; j\x{FC}rgen@far.test"
        # A domain alone needs nothing new of the host: it has a spelling in ASCII.
        await office.outcome(await office.mail("a@bücher.test", smtputf8=True), "relayed")
        assert far.taken[0].recipients == ["a@xn--bcher-kva.test"]


async def test_what_needs_smtputf8_says_so(office: Office, start: Any) -> None:
    async with Foreign().open() as far:
        await start(routes={"far.test": far.route})
        await office.outcome(await office.mail("jürgen@far.test", smtputf8=True), "relayed")
        assert far.taken[0].mail_command.endswith(" BODY=8BITMIME SMTPUTF8")
        assert far.taken[0].recipients == ["jürgen@far.test"]
        await office.outcome(await office.mail("a@far.test", smtputf8=True), "relayed")
        assert "SMTPUTF8" not in far.taken[1].mail_command


async def test_addresses_that_are_none(office: Office, start: Any) -> None:
    await start(outbound="direct")
    mail_id = await office.mail("postmaster", "a@[127.0.0.300]", "a b@c")
    await office.outcome(mail_id, "bounced", "bounced", "bounced")


async def test_a_body_that_is_lost_is_held(office: Office, start: Any, settings: Any) -> None:
    async with Foreign().open() as far:
        await start(routes={"far.test": far.route}, connections_per_destination=1)
        other = await office.mail("b@far.test")
        await office.outcome(other, "relayed")
        relay = await start_away(office, far, settings)
        assert relay == "held"


async def start_away(office: Office, far: Foreign, settings: Any) -> str:
    """Damage the pack behind the back of the journal."""
    body = BODY + b"to be damaged\r\n"
    far.replies["EHLO"] = "421 4.3.2 later"
    far.replies["MAIL"] = "421 4.3.2 later"
    mail_id = await office.mail("a@far.test", body=body)
    await office.deferred(mail_id)
    pack = next((settings.data / "journal").glob("smtp_ingress.*/000001.pack"))
    content = pack.read_bytes()
    at = content.index(b"to be damaged")
    with open(pack, "r+b") as file:
        file.seek(at)
        file.write(b"XX")
    far.replies.clear()
    assert await office.act("retry", (mail_id, 0)) == 1
    await office.outcome(mail_id, "held")
    (item,) = await office.queued()
    assert "can't be read" in item.last_error
    return item.state


async def test_injected_replies_are_not_taken_for_answers(office: Office, start: Any) -> None:
    """A host that answers before it is asked, or twice, is left."""

    async def twice(conversation: Conversation) -> str:
        return "250 2.1.0 ok\r\n250 2.1.5 and this one\r\n250 another\r\n250 2.0.0 taken"

    async with Foreign(replies={"MAIL": twice}, features=()).open() as far:
        await start(routes={"far.test": far.route})
        await office.deferred(await office.mail("a@far.test"))
        assert far.taken == []
