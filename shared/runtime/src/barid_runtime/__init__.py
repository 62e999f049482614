"""The doors of Barid's services: bus, journal, bodies, database, settings, clock, TLS, logs, metrics, health."""
