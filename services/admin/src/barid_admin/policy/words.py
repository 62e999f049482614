"""What is wrong with a value, in plain words: the framework's speak of patterns and inputs."""

from collections.abc import Mapping

MAIL_ID_PATTERN = r"^[0-9A-HJKMNP-TV-Z]{26}$"

_BY_PATTERN = {MAIL_ID_PATTERN: "is no id of a mail, which has 26 characters: digits and capitals without I, L, O, U"}

_BY_TYPE = {
    "missing": "is missing",
    "extra_forbidden": "there is no such field",
    "string_type": "must be a text",
    "string_too_short": "has at least {min_length} characters",
    "string_too_long": "has at most {max_length} characters",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "too_short": "has at least {min_length} entries",
    "too_long": "has at most {max_length} entries",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "model_attributes_type": "must be a JSON object",
    "model_type": "must be a JSON object",
}
"""Kind of fault, as pydantic names it → words, filled in from its context."""


def in_words(kind: str, context: Mapping[str, object], told: str) -> str:
    """told: the framework's words, for what has no better ones."""
    if kind == "string_pattern_mismatch":
        return _BY_PATTERN.get(str(context.get("pattern")), "is not of the right form")
    text = _BY_TYPE.get(kind)
    return told.removeprefix("Value error, ") if text is None else text.format_map(context)
