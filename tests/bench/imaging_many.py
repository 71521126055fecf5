"""The searches of a viewer and the patients' pages with few studies stored, and with very many."""


def run() -> None:
    pass
