"""Decisions without side effects: who may do what, and in which words they are told."""
