"""Pure decisions: how addresses are written, where they lead, whose they are, which passwords will do."""
