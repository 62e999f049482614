"""The doors: sockets, and everything of the runtime that is opened at the start."""
