"""Inbound MTA: MX, submission and LMTP listeners."""
