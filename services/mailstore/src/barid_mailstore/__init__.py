"""Mail storage area: mailboxes, UIDs, flags, quota, ledger, outbox, reconciler."""
