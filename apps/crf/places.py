"""Where a form stands in the course of a patient: which form, at which visit, and the how many-th."""

from dataclasses import dataclass

# The form of the reference study, from admission to discharge, on which scores, models and tables rest.
MAIN = "main"
STAY = "stay"
# Of a form that repeats, in one patient.
MOST_REPEATS = 500


@dataclass(frozen=True)
class Place:
    form: str = MAIN
    visit: str = STAY
    instance: int = 1

    @property
    def is_main(self) -> bool:
        return self.form == MAIN


MAIN_PLACE = Place()
