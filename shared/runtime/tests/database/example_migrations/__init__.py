"""Migrations as a service declares them."""
