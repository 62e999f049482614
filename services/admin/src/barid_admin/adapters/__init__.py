"""Doors and the HTTP server."""
