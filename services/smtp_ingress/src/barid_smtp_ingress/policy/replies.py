"""What the ingress says, beside what the core says by itself (barid_protocols.smtp.replies)."""

from barid_protocols.smtp import Reply

TOO_MANY_CONNECTIONS = Reply(421, "4.7.0", "Too many connections from your network, try again later")
BUSY = Reply(421, "4.3.2", "Too many connections, try again later")
NETWORK_WAITS = Reply(421, "4.7.0", "Too many failed log-ins from your network, try again later")
LOGIN_WAITS = Reply(421, "4.7.0", "Too many failed log-ins of this account from your network, try again later")
TOO_MANY_UNKNOWN = Reply(421, "4.7.0", "Too many unknown recipients, closing")

DIRECTORY_AWAY = Reply(451, "4.4.3", "Recipient cannot be verified now, try again later")
ACCOUNT_AWAY = Reply(451, "4.4.3", "Your account cannot be looked up now, try again later")
MAILBOX_FULL_FOR_NOW = Reply(452, "4.2.2", "Mailbox is over its quota, try again later")
MAILBOX_FULL = Reply(552, "5.2.2", "Mailbox is over its quota")
TOO_MANY_TARGETS = Reply(452, "4.5.3", "Recipients lead to too many mailboxes in one transaction")
ADDRESS_LOOPS = Reply(550, "5.4.6", "Address leads back to itself")

ACCOUNT_SENDS_TOO_MUCH = Reply(450, "4.7.1", "Too much mail of your account within an hour, try again later")
NETWORK_SENDS_TOO_MUCH = Reply(450, "4.7.1", "Too many messages from your network within an hour, try again later")
NEVER_SO_MANY = Reply(550, "5.7.1", "More recipients than your account may write to within an hour")

NOT_YOUR_ADDRESS = Reply(550, "5.7.1", "Sender address is not yours")
NOT_YOUR_FROM = Reply(550, "5.7.1", "From field holds none of your addresses")
NOT_YOUR_SENDER = Reply(550, "5.7.1", "Sender field is not one of your addresses")
SENDER_MISSING = Reply(550, "5.7.1", "From field names others beside you: a Sender field has to name you")
NO_FROM = Reply(550, "5.6.0", "Message has no From field")
SEVERAL_FROM = Reply(550, "5.6.0", "Message has several From fields")
SEVERAL_SENDERS = Reply(550, "5.6.0", "Message has several Sender fields")
ACCOUNT_DISABLED = Reply(550, "5.7.1", "Account is disabled")
LOOP = Reply(554, "5.4.6", "Too many hops, this mail goes in circles")
DELIVERED_BEFORE = Reply(554, "5.4.6", "This mail has been delivered here before, it goes in circles")
HEADER_TOO_BIG = Reply(552, "5.3.4", "Header is larger than this server takes")


def accepted(mail_id: str) -> Reply:
    return Reply(250, "2.0.0", f"Ok: accepted as {mail_id}")
