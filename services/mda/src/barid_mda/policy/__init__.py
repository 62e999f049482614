"""Pure decisions: how one obligation ends, and how that is written down for the mailstore."""
