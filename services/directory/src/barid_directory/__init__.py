"""Domains, accounts, credentials and aliases: the only service that sees password hashes."""
