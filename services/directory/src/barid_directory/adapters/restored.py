"""The directory in a backup. Restored it is what it was: changes since then are lost, passwords among them."""

SAVED = ("domain", "account", "alias", "alias_target")
"""In an order in which they can be filled: who is named before who names."""

NOT_SAVED = ("failure",)
