"""Delivery agent: loop check, Sieve, filing."""
