"""What the relay needs: a queue of record, names resolved, hosts spoken to."""
