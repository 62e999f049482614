"""Mail storage server: IMAP and POP3 listeners."""
