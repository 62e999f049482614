"""IMAP4rev1 server core (RFC 3501 and extensions): bytes in, commands out, replies back in. No I/O, no clock.

Start at :mod:`.connection`; :mod:`.selected` is what a session told of its mailbox; one file a command in ``commands``.
Nothing is imported here: the mailstore wants the names of flags and mailboxes, and not a whole server with them.
"""
