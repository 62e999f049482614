"""Outbound MTA: queue of record, retries, TLS policy, DSNs."""
