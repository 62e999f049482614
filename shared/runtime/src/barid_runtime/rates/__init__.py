"""How much somebody has done within the last hour, counted by all replicas together."""
