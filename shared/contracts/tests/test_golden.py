"""What the contracts said once, they say for ever.

    golden/Model.json     a text with every field, which must parse for ever, field by field
    defaults/Model.json   a text with the required fields only, and what it means: the defaults
    values.json           every value of every Literal

Something new: `python shared/contracts/tests/test_golden.py` writes what is missing; it never touches nor takes away
what is there.
"""

import importlib
import json
import pkgutil
import types
import typing
from enum import Enum
from pathlib import Path

import pytest
from pydantic import BaseModel

import barid_contracts
from barid_contracts.base import Event, Message, Operation

GOLDEN = Path(__file__).parent / "golden"
DEFAULTS = Path(__file__).parent / "defaults"
VALUES = Path(__file__).parent / "values.json"
WRITES = "; `python shared/contracts/tests/test_golden.py` writes it"
MODULES = [
    importlib.import_module(f"barid_contracts.{module.name}")
    for module in pkgutil.iter_modules(barid_contracts.__path__)
]
MODELS = {
    model.__name__: model
    for module in MODULES
    for model in vars(module).values()
    if isinstance(model, type) and issubclass(model, Message) and model is not Message
}


def sample(annotation: object, metadata: tuple[object, ...] = ()) -> object:
    """A value of the type that is not its default, so that a field lost in parsing shows."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        inner, *metadata_list = typing.get_args(annotation)
        return sample(inner, tuple(metadata_list))
    if origin in (types.UnionType, typing.Union):
        return sample(next(a for a in typing.get_args(annotation) if a is not type(None)))
    if origin is typing.Literal:
        return typing.get_args(annotation)[-1]
    if origin is list:
        return [sample(typing.get_args(annotation)[0])]
    if origin is dict:
        return {"key": "value"}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {
            name: sample(field.annotation, tuple(field.metadata)) for name, field in annotation.model_fields.items()
        }
    if annotation is str:
        return "01ARZ3NDEKTSV4RRFFQ69G5FAV" if metadata else "text é"
    return {int: 7, bool: True, bytes: "AQIDBA=="}[annotation]  # type: ignore[index]


def required(model: type[BaseModel]) -> set[str]:
    return {name for name, field in model.model_fields.items() if field.is_required()}


def least(golden: object, annotation: object) -> object:
    """The golden value without what has a default, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and isinstance(golden, dict):
        return {
            name: least(golden[name], annotation.model_fields[name].annotation) for name in sorted(required(annotation))
        }
    inner = [a for a in typing.get_args(annotation) if a is not type(None)]
    if isinstance(golden, list) and inner:
        return [least(each, inner[0]) for each in golden]
    return least(golden, inner[0]) if isinstance(golden, dict) and len(inner) == 1 else golden


def values(annotation: object) -> set[str]:
    """Of the Literals in the type, at any depth but other models'."""
    if typing.get_origin(annotation) is typing.Literal:
        return {str(value) for value in typing.get_args(annotation)}
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return {str(member.value) for member in annotation}
    return {value for inner in typing.get_args(annotation) for value in values(inner)}


def all_values() -> dict[str, set[str]]:
    found = {
        f"{name}.{field}": values(info.annotation)
        for name, model in MODELS.items()
        for field, info in model.model_fields.items()
    }
    return {where: said for where, said in found.items() if said}


def of_version_1(told: object, golden: object) -> object:
    """What is told, without the fields that were added since, at any depth."""
    if isinstance(told, dict) and isinstance(golden, dict):
        return {key: of_version_1(told[key], golden[key]) for key in golden}
    if isinstance(told, list) and isinstance(golden, list) and len(told) == len(golden):
        return [of_version_1(*pair) for pair in zip(told, golden, strict=True)]
    return told


@pytest.mark.parametrize("name", sorted(MODELS))
def test_golden_text_parses_and_says_the_same(name: str) -> None:
    text = (GOLDEN / f"{name}.json").read_text()
    parsed = MODELS[name].model_validate_json(text)
    told = json.loads(parsed.model_dump_json())
    golden = json.loads(text)
    assert of_version_1(told, golden) == golden


@pytest.mark.parametrize("name", sorted(MODELS))
def test_fields_of_a_newer_sender_are_ignored(name: str) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    newer = json.dumps({**golden, "field_of_the_future": {"a": [1]}})
    assert MODELS[name].model_validate_json(newer) == MODELS[name].model_validate_json(json.dumps(golden))


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_field_added_later_has_a_default(name: str) -> None:
    """The golden text holds the fields of version 1; what it lacks must not be required."""
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    added = set(MODELS[name].model_fields) - set(golden)
    assert all(not MODELS[name].model_fields[field].is_required() for field in added)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_default_never_changes(name: str) -> None:
    """Who leaves a field out means what it meant on the day the field came."""
    pinned = json.loads((DEFAULTS / f"{name}.json").read_text())
    told = json.loads(MODELS[name].model_validate_json(json.dumps(pinned["text"])).model_dump_json())
    assert set(told) == set(pinned["means"]), f"a field is not pinned, or gone{WRITES}"
    assert of_version_1(told, pinned["means"]) == pinned["means"]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_what_is_required_stays_so(name: str) -> None:
    """A receiver of before refuses a text without it."""
    assert required(MODELS[name]) == set(json.loads((DEFAULTS / f"{name}.json").read_text())["text"])


def test_a_value_is_understood_for_ever() -> None:
    pinned = {where: set(said) for where, said in json.loads(VALUES.read_text()).items()}
    assert all_values() == pinned, f"a value is not pinned, or gone{WRITES}"


def test_every_golden_text_still_has_its_model() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(MODELS)
    assert {path.stem for path in DEFAULTS.glob("*.json")} == set(MODELS)


def test_subjects_are_versioned_and_served_once() -> None:
    doors = [door for module in MODULES for door in vars(module).values() if isinstance(door, Operation | Event)]
    subjects = [door.subject for door in {id(door): door for door in doors}.values()]
    assert all(subject.startswith("mail.v1.") for subject in subjects)
    assert len(subjects) == len(set(subjects))


def written(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def write_what_is_missing() -> None:
    for name, model in MODELS.items():
        if not (path := GOLDEN / f"{name}.json").exists():
            written(path, sample(model))
        path = DEFAULTS / f"{name}.json"
        pinned = json.loads(path.read_text()) if path.exists() else None
        text = pinned["text"] if pinned else least(sample(model), model)
        told = json.loads(model.model_validate_json(json.dumps(text)).model_dump_json())
        if pinned is None or told.keys() - pinned["means"].keys():
            written(path, {"text": text, "means": told | (pinned["means"] if pinned else {})})
    pinned_values = json.loads(VALUES.read_text()) if VALUES.exists() else {}
    both = {
        where: sorted(all_values().get(where, set()) | set(pinned_values.get(where, ())))
        for where in sorted(all_values().keys() | pinned_values.keys())
    }
    if both != pinned_values:
        written(VALUES, both)


if __name__ == "__main__":
    write_what_is_missing()
