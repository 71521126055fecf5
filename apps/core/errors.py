"""Refusals: what a person asked for can't be done, said in one sentence that names the cause and the cure."""

from http import HTTPStatus


class Refusal(Exception):
    """An input or a state that is refused.

    The sentence is shown as it is, in the browser and by the API alike. It holds no identifier. `figure` is HTML that
    stands below it where a picture says more; a template has made it.
    """

    def __init__(
        self, code: str, sentence: str, *, status: int = HTTPStatus.UNPROCESSABLE_ENTITY, figure: str = ""
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = str(sentence)
        self.status = int(status)
        self.figure = figure


class Conflict(Refusal):
    """The thing is there already, or has changed since it was read."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(code, sentence, status=HTTPStatus.CONFLICT)
