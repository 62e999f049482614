"""What a service needs: its entries of requirements.lock (--lock), or the folders of our own packages (--folders).
Behind that: requirements beside its own.

Run by a Python that has the whole lock installed: what a distribution needs is read from its metadata.
"""

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "requirements.lock").exists())
OWN = {
    canonicalize_name(tomllib.loads(path.read_text())["project"]["name"]): path.parent
    for path in [*ROOT.glob("shared/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")]
}


def closure(*names: str) -> set[str]:
    """Names of our own and of foreign distributions, these included."""
    found: set[str] = set()
    waiting = [(Requirement(name), "") for name in names]
    seen: set[tuple[str, str]] = set()
    while waiting:
        need, extra = waiting.pop()
        key = canonicalize_name(need.name)
        if need.marker is not None and not need.marker.evaluate({"extra": extra}):
            continue
        for wanted in ["", *need.extras]:
            if (key, wanted) in seen:
                continue
            seen.add((key, wanted))
            found.add(key)
            waiting += [(Requirement(text), wanted) for text in declared(key, wanted)]
    return found


def declared(name: str, extra: str) -> list[str]:
    """What it needs, or what its extra adds."""
    if name in OWN:
        project = tomllib.loads((OWN[name] / "pyproject.toml").read_text())["project"]
        texts: list[str] = project["optional-dependencies"][extra] if extra else project["dependencies"]
        return texts
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []  # for another platform


def main() -> None:
    service, what, *more = sys.argv[1:]
    name = canonicalize_name(f"barid-{service}")
    if name not in OWN:
        raise SystemExit(f"there is no service {service!r}; one of: {', '.join(sorted(OWN))}")
    wanted = closure(name, *more)
    if what == "--folders":
        print(*sorted(str(OWN[each]) for each in wanted & OWN.keys()))
        return
    for entry in re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text().strip()):
        if canonicalize_name(re.match(r"[\w.-]+", entry)[0]) in wanted:  # type: ignore[index] # each begins so
            print(entry)


if __name__ == "__main__":
    main()
