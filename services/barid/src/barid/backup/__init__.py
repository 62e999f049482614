"""Backup and restore of both sizes: `layout.py` says what stands in a backup, `saving.py` and `restoring.py` in which
order it is made and put back, and why (ADR 16)."""
