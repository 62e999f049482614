"""Sessions: a driver a protocol, and one module for each family of commands."""
