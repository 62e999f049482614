"""Print the third-party requirements of every package of the workspace, for `make lock`."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def _extras(project: dict[str, Any]) -> Iterable[list[str]]:
    """What the tests and `make run` may need is locked and installed with the rest."""
    extras: dict[str, list[str]] = project.get("optional-dependencies", {})
    return extras.values()


ROOT = Path(__file__).resolve().parent.parent
packages = [tomllib.loads(p.read_text())["project"] for p in sorted(ROOT.glob("*/*/pyproject.toml"))]
ours = {project["name"] for project in packages}
lists = [needs for project in packages for needs in (project["dependencies"], *_extras(project))]
wanted = {need for needs in lists for need in needs if need.partition("[")[0] not in ours}
print("\n".join(sorted(wanted)))
