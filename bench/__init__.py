"""What a message costs, measured on the running system: `make bench`."""
