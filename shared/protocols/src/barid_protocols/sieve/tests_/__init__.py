"""Tests of the language (RFC 5228 §5 and extensions): one file each, listed in `sieve/registry.py`."""
