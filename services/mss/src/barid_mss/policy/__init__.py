"""Decisions without doors: limits, patience, names of networks."""
