"""Where a journal stands: in a local directory, or in a bucket with local copies of what is young.

What the second needs is imported when it is needed: a process of the embedded size does not pay for it.
"""

from dataclasses import dataclass
from pathlib import Path

from ..objects.place import S3Place


@dataclass(frozen=True, slots=True)
class JournalPlace:
    """root: the local directory. s3: the bucket; none: the directory is all."""

    root: Path
    s3: S3Place | None = None
