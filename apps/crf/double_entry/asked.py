"""What a second entry asks: the variables marked for double entry, and those that their branches hang on."""

from collections.abc import Collection

from apps.crf.dictionary import Questions, Section, load_dictionary
from apps.crf.places import MAIN


class AskedQuestions(Questions):
    """A form with some of its variables alone. Checks across variables wait until both entries are reconciled."""

    def __init__(self, whole: Questions, names: Collection[str]) -> None:
        kept = ((part, tuple(each for each in part.variables if each.name in names)) for part in whole.sections)
        self.sections = tuple(Section(part.name, part.label, some) for part, some in kept if some)
        self.rules = ()


def asked_variables(questions: Questions, writable: Collection[str]) -> list[str]:
    """Return what a person who may write some variables is asked, in the order of the form."""
    wanted: set[str] = set()
    for variable in questions.variables.values():
        if variable.double_entry and variable.is_typed:
            needed = _branch(questions, variable.name)
            if needed <= set(writable):
                wanted |= needed
    return [name for name in questions.variables if name in wanted]


def _branch(questions: Questions, name: str) -> set[str]:
    """Return a variable with all that decides whether it applies."""
    found, waiting = set(), [name]
    while waiting:
        current = waiting.pop()
        variable = questions.variables.get(current)
        if current in found or variable is None:
            continue
        found.add(current)
        waiting += variable.show_if.variables() if variable.show_if else ()
    return found


def compared_variables(questions: Questions, names: Collection[str]) -> list[str]:
    """Return those of the named variables that are marked, in the order of the form."""
    return [name for name, variable in questions.variables.items() if name in names and variable.double_entry]


def marked_variables(questions: Questions) -> list[str]:
    return compared_variables(questions, questions.variables)


def forms_asking(*, outcome: bool) -> list[str]:
    """Return the names of the forms that mark a variable which is an outcome, or one which is not."""
    dictionary = load_dictionary()
    forms: dict[str, Questions] = {MAIN: dictionary, **dictionary.further}
    return [
        name
        for name, questions in forms.items()
        if any(v.double_entry and v.is_typed and v.outcome == outcome for v in questions.variables.values())
    ]
