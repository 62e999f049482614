"""What this process knows of mailboxes: shared views, kept by events; counters; summaries of messages."""
