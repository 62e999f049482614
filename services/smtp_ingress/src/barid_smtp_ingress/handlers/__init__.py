"""What the ingress does about each event of a connection, and about news from the other services."""
