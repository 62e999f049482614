"""Structured logs: one line an event, JSON or for people, to standard error.

A line's fields say what an operator can act on; a mail is named by `mail_id`, an obligation by `n`, an account by
`account`. Passwords, keys and bodies are never fields.
"""

import structlog


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose lines carry `logger=name`."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger().bind(logger=name)
    return logger
