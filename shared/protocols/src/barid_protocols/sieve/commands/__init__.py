"""Commands (RFC 5228 §3, §4 and extensions): one file each, listed in `sieve/registry.py`."""
