"""What the kernel knows of processes."""


def is_alive(pid: int) -> bool:
    """A process that has ended and was not yet asked for counts as dead."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
