"""The doors: the directory and the mailstore over the bus, with what is remembered of them."""
