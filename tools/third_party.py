"""Print the third-party requirements of every package of the workspace, for `make lock`."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
packages = [tomllib.loads(p.read_text())["project"] for p in sorted(ROOT.glob("*/*/pyproject.toml"))]
ours = {project["name"] for project in packages}
wanted = {need for project in packages for need in project["dependencies"] if need not in ours}
print("\n".join(sorted(wanted)))
