"""The doors: tables, the DNS, connections to other hosts."""
