"""Every package of the workspace is built as a wheel and imported with nothing beside it but what it declares.

An import that works only because a neighbour happens to be installed fails here, as does a file that the wheel forgot.
"""

import os
import subprocess
import sys
import tomllib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]

PROJECTS = {
    canonicalize_name(tomllib.loads(path.read_text())["project"]["name"]): path.parent
    for path in [*ROOT.glob("shared/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")]
}

BUILDS_AT_ONCE = 4
"""Each is a Python that mostly starts."""

IMPORT_ALL = """
import importlib, pkgutil, sys
name = sys.argv[1]
package = importlib.import_module(name)
for module in pkgutil.walk_packages(package.__path__, name + "."):
    if ".versions." not in module.name:  # migrations, whose names are no identifiers
        importlib.import_module(module.name)
print("whole")
"""


def declared(project: Path, extras: set[str]) -> list[Requirement]:
    table = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    optional = [text for extra in extras for text in table["optional-dependencies"][extra]]
    return [Requirement(text) for text in [*table["dependencies"], *optional]]


def closure(name: str) -> tuple[set[str], dict[str, Distribution]]:
    """Our packages and foreign distributions that `name` needs, itself included, by what each declares."""
    own: set[str] = set()
    foreign: dict[str, Distribution] = {}
    waiting = [Requirement(name)]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        need = waiting.pop()
        key = canonicalize_name(need.name)
        if (key, tuple(sorted(need.extras))) in seen:
            continue
        seen.add((key, tuple(sorted(need.extras))))
        if key in PROJECTS:
            own.add(key)
            waiting += declared(PROJECTS[key], need.extras)
            continue
        try:
            foreign[key] = found = distribution(key)
        except PackageNotFoundError:
            continue  # for another platform, or optional: its import says so
        for text in found.requires or ():
            inner = Requirement(text)
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in need.extras or {""}):
                waiting.append(inner)
    return own, foreign


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Package → folder with its wheel unpacked."""
    folders = {name: tmp_path_factory.mktemp(name) for name in PROJECTS}
    with ThreadPoolExecutor(BUILDS_AT_ONCE) as pool:
        return dict(zip(PROJECTS, pool.map(build, PROJECTS.values(), folders.values()), strict=True))


def build(project: Path, folder: Path) -> Path:
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    with zipfile.ZipFile(next((folder / "dist").glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def test_the_workspace_has_the_packages_that_the_architecture_names() -> None:
    services = {"directory", "smtp-ingress", "relay", "mda", "mailstore", "mss", "admin"}
    shared = {"contracts", "protocols", "runtime", "testing"}
    assert set(PROJECTS) == {"barid"} | {f"barid-{name}" for name in services | shared}


@pytest.mark.parametrize("name", sorted(PROJECTS))
def test_installs_and_imports_alone(name: str, wheels: dict[str, Path], tmp_path: Path) -> None:
    # All its modules are imported, so with all its extras.
    extras = tomllib.loads((PROJECTS[name] / "pyproject.toml").read_text())["project"].get("optional-dependencies", {})
    own, foreign = closure(f"{name}[{','.join(extras)}]")
    beside = tmp_path / "site-packages"
    beside.mkdir()
    for found in foreign.values():
        for entry in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}:
            if not (beside / entry).exists():
                os.symlink(str(found.locate_file(entry)), beside / entry)
    paths = [str(beside), *(str(wheels[each]) for each in own)]
    code = f"import sys; sys.path[:0] = {paths!r}\n{IMPORT_ALL}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-W", "error::ImportWarning", "-c", code, name.replace("-", "_")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.stdout == "whole\n", done.stderr[-2_000:]


@pytest.mark.parametrize("name", sorted(PROJECTS))
def test_services_need_no_other_service(name: str) -> None:
    """But for `barid`, the composition root."""
    shared = {"barid-contracts", "barid-protocols", "barid-runtime", "barid-testing"}
    own, _ = closure(name)
    if name != "barid":
        assert own <= shared | {name}


@pytest.mark.parametrize("name", sorted(PROJECTS))
def test_wheels_are_typed_and_whole(name: str, wheels: dict[str, Path]) -> None:
    package = name.replace("-", "_")
    assert (wheels[name] / package / "py.typed").exists()
    assert files_of(wheels[name] / package) == files_of(PROJECTS[name] / "src" / package)


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}
