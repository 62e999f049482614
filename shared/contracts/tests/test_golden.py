"""Every model of the contracts has a golden JSON text that must parse for ever, field by field.

A new model: `python shared/contracts/tests/test_golden.py` writes the texts that are missing
and never touches one that is there.
"""

import importlib
import json
import pkgutil
import types
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel

import barid_contracts
from barid_contracts.base import Event, Message, Operation

GOLDEN = Path(__file__).parent / "golden"
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


def test_every_golden_text_still_has_its_model() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(MODELS)


def test_subjects_are_versioned_and_served_once() -> None:
    doors = [door for module in MODULES for door in vars(module).values() if isinstance(door, Operation | Event)]
    subjects = [door.subject for door in {id(door): door for door in doors}.values()]
    assert all(subject.startswith("mail.v1.") for subject in subjects)
    assert len(subjects) == len(set(subjects))


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for model_name, model_type in MODELS.items():
        path = GOLDEN / f"{model_name}.json"
        if not path.exists():
            path.write_text(json.dumps(sample(model_type), indent=1, ensure_ascii=False) + "\n")
