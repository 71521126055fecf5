"""One form brought from one version of the dictionary to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.crf.computed import computed_answers
from apps.crf.dictionary import Dictionary, Questions
from apps.crf.missing import Answer, Answers, known
from apps.crf.rules import applicable, without_blanks
from apps.crf.versions.moves import NOTHING, Move, Moves, Unfit, moved_answer


@dataclass
class Moved:
    """The answers of one form afterwards, and what became of those that are not there any more."""

    answers: dict[str, Answer] = field(default_factory=dict)
    # By the name under which they stood: what no rule says anything of, and nothing may be lost.
    unfit: dict[str, Answer] = field(default_factory=dict)
    # Kept in the history alone, as a rule says.
    aside: dict[str, Answer] = field(default_factory=dict)
    # No longer asked with the other answers.
    hidden: dict[str, Answer] = field(default_factory=dict)
    # By the new name: converted, recoded, or from another name.
    converted: set[str] = field(default_factory=set)
    # By the new name: what the formula of the new version gives, where that is another.
    computed: set[str] = field(default_factory=set)

    def changes(self, before: Answers) -> dict[str, Answer]:
        """Return what a save has to write: cleared and new answers by name."""
        names = {*before, *self.answers}
        return {name: self.answers.get(name) for name in names if before.get(name) != self.answers.get(name)}


class Mover:
    """Brings forms from the old version to the new one by the rules."""

    def __init__(self, old: Dictionary, new: Dictionary, moves: Moves) -> None:
        self.old, self.new, self.moves = old, new, moves
        self._target = {move.source: name for name, move in moves.items() if move.source}

    def questions(self, form: str) -> tuple[Questions | None, Questions | None]:
        """Return what a form asked and will ask; None for a version that does not have the form."""
        return _questions(self.old, form), _questions(self.new, form)

    def move(self, form: str, answers: Mapping[str, Answer]) -> Moved:
        """Return what the answers of one form are in the new version."""
        old, new = self.questions(form)
        moved = Moved()
        for name, answer in answers.items():
            self._move_one(name, answer, old, new, moved)
        if new is not None:
            _hide(new, moved)
            _compute(new, moved)
        return moved

    def _move_one(
        self, name: str, answer: Answer, old: Questions | None, new: Questions | None, moved: Moved
    ) -> None:  # fmt: skip
        target = self._target.get(name, name)
        move = self.moves.get(target, NOTHING)
        variable = new.variables.get(target) if new else None
        try:
            if variable is None:
                raise Unfit
            found = moved_answer(old.variables.get(name) if old else None, variable, move, answer)
        except Unfit:
            left = moved.aside if self._sets_aside(name, move) else moved.unfit
            left[name] = answer
            return
        moved.answers[target] = found
        if (target, found) != (name, answer):
            moved.converted.add(target)

    def _sets_aside(self, name: str, move: Move) -> bool:
        return move.set_aside or self.moves.get(name, NOTHING).set_aside


def _questions(dictionary: Dictionary, form: str) -> Questions | None:
    try:
        return dictionary.questions(form)
    except KeyError:
        return None


def _hide(questions: Questions, moved: Moved) -> None:
    applies = applicable(questions, known(moved.answers))
    for name in [name for name in moved.answers if name not in applies]:
        moved.hidden[name] = moved.answers.pop(name)
        moved.converted.discard(name)


def _compute(questions: Questions, moved: Moved) -> None:
    for name, value in computed_answers(questions, moved.answers, moved.answers).items():
        if moved.answers.get(name) != value:
            moved.answers[name] = value
            moved.computed.add(name)
    moved.answers = without_blanks(moved.answers)
