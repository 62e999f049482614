"""The bus: NATS."""
