"""Conversations with other hosts: the client core of `barid_protocols.smtp` on a socket."""
