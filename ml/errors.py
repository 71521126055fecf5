"""The one error of the library: a machine-readable code and a sentence for the person who can put it right."""


class MLError(ValueError):
    """Input that cannot be used.

    Parameters
    ----------
    code
        Stable identifier such as ``too_few_slices``; programs branch on it.
    sentence
        One or two plain sentences: what is wrong and what to do. Never holds a name, an identifier or a path.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
