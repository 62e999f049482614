"""The barid command and the supervisor: the composition root."""
