"""Every file of ``dialogues/`` is a conversation a person could type; cut into single bytes it goes the same way."""

from collections.abc import Callable
from pathlib import Path

import pytest

DIALOGUES = sorted((Path(__file__).parent / "dialogues").glob("*.txt"))


@pytest.mark.parametrize("path", DIALOGUES, ids=lambda path: path.stem)
def test_dialogue(path: Path, play_dialogue: Callable[..., None]) -> None:
    play_dialogue(path, lambda said: [said])


@pytest.mark.parametrize("path", DIALOGUES, ids=lambda path: path.stem)
def test_dialogue_byte_by_byte(path: Path, play_dialogue: Callable[..., None]) -> None:
    play_dialogue(path, lambda said: [said[at : at + 1] for at in range(len(said))])


def test_there_are_dialogues() -> None:
    assert DIALOGUES
