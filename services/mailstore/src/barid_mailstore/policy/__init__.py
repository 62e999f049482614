"""Pure decisions of the mailstore: names, flags, prefixes, what a commit tells. No I/O, no clock."""
