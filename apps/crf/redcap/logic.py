"""REDCap's branching logic, read into the conditions of the dictionary.

`and` binds closer than `or`. What a condition can't say is refused with a sentence that quotes the expression. A test
for "not blank" is taken where a comparison of the same variable stands beside it: with a blank, ours never holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from django.utils.translation import gettext as _

from apps.crf.conditions import Compare, Condition, Group, OneOf

if TYPE_CHECKING:
    from apps.crf.dictionary import Variable

_TOKEN = re.compile(
    r"""\s+
    |(?P<field>\[[^\[\]]*\])
    |(?P<text>'[^']*'|"[^"]*")
    |(?P<number>-?(?:\d+(?:\.\d+)?|\.\d+))(?![\w.])
    |(?P<sign><>|!=|<=|>=|==|=|<|>)
    |(?P<join>&&|\|\||\b(?:and|or)\b)
    |(?P<bracket>[()])""",
    re.VERBOSE | re.IGNORECASE,
)
_COMMENT = re.compile(r"^[ \t]*(?:#|//).*$", re.MULTILINE)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
# More digits are no measurement, and would cost time to convert.
_NUMBER = re.compile(r"-?(?:[0-9]{1,300}(?:\.[0-9]{1,400})?|\.[0-9]{1,400})")
_AND = frozenset({"and", "&&"})
_ORDERS = {"<": "less_than", "<=": "at_most", ">": "more_than", ">=": "at_least"}
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_EQUAL = frozenset({"=", "=="})
_UNEQUAL = frozenset({"<>", "!="})
_LONGEST = 10_000
_DEEPEST = 20
_QUOTED = 200


class LogicError(ValueError):
    """The expression can't become a condition; the message says why."""


@dataclass(frozen=True)
class NotBlank:
    """The variable has a value: `[x] <> ''`."""

    variable: str


@dataclass(frozen=True)
class Several:
    """Parts joined by `and` (all) or `or` (any)."""

    kind: str
    parts: tuple[Node, ...]


Node: TypeAlias = Condition | NotBlank | Several


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


def has_comment(expression: str) -> bool:
    return _COMMENT.search(expression) is not None


def parse_logic(expression: str, known: Mapping[str, Variable]) -> Condition:
    """Read an expression about variables that are known; LogicError says, quoting it, why that can't be."""
    short = " ".join(expression.split())
    try:
        if len(expression) > _LONGEST:
            raise LogicError(_("the expression has more than %(n)d characters") % {"n": _LONGEST})
        tokens = _tokens(_COMMENT.sub("", expression))
        _refuse_other_references(tokens)
        return _condition(_Parser(tokens, known).whole())
    except LogicError as error:
        quoted = short if len(short) <= _QUOTED else f"{short[:_QUOTED]}…"
        raise LogicError(_("The branching logic “%(logic)s”: %(why)s.") % {"logic": quoted, "why": error}) from error


def _tokens(expression: str) -> list[_Token]:
    tokens: list[_Token] = []
    place = 0
    while place < len(expression):
        found = _TOKEN.match(expression, place)
        if found is None:
            _strange(expression[place:])
        if found.lastgroup is not None:
            tokens.append(_Token(found.lastgroup, found.group()))
        place = found.end()
    return tokens


def _strange(rest: str) -> NoReturn:
    word = re.match(r"[A-Za-z_]\w*", rest)
    if word and rest[word.end() :].lstrip().startswith("("):
        raise LogicError(_("the function %(name)s() has no counterpart here") % {"name": word.group()})
    if word:
        raise LogicError(
            _("“%(word)s” is not understood; texts stand in quotation marks") % {"word": word.group()[:40]}
        )
    if rest[0] in "+-*/^":
        raise LogicError(_("calculations have no counterpart here"))
    if rest[0] in "\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}“”":
        raise LogicError(_("curly quotation marks are not understood; write ' instead"))
    if rest[0] in "'\"[":
        raise LogicError(_("%(sign)s is opened and not closed") % {"sign": rest[0]})
    raise LogicError(_("“%(sign)s” is not understood") % {"sign": rest[0]})


def _refuse_other_references(tokens: list[_Token]) -> None:
    """Refuse brackets that hold something other than the name of a variable."""
    fields = [token.text for token in tokens if token.kind == "field"]
    for text in fields:
        name = text[1:-1].strip()
        if "(" in name:
            raise LogicError(
                _("%(field)s asks for one box of a checkbox, which Ichor does not have") % {"field": text[:60]}
            )
        if not _NAME.fullmatch(name):
            raise LogicError(
                _("%(field)s is no variable; smart variables and events have no counterpart here")
                % {"field": text[:60]}
            )
    if any(one.kind == other.kind == "field" for one, other in pairwise(tokens)):
        raise LogicError(_("an event in front of a variable has no counterpart here"))


class _Parser:
    """One pass from left to right, with a limit to its depth."""

    def __init__(self, tokens: list[_Token], known: Mapping[str, Variable]) -> None:
        self.tokens = tokens
        self.place = 0
        self.depth = 0
        self.known = known

    def whole(self) -> Node:
        node = self.any_of()
        if self.place < len(self.tokens):
            raise LogicError(_("“%(text)s” is in the wrong place") % {"text": self.tokens[self.place].text[:40]})
        return node

    def any_of(self) -> Node:
        parts = [self.all_of()]
        while self._take_join(either=True):
            parts.append(self.all_of())
        return _either(parts)

    def all_of(self) -> Node:
        parts = [self.one()]
        while self._take_join(either=False):
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else Several("all", tuple(parts))

    def _take_join(self, *, either: bool) -> bool:
        token = self._peek()
        if token is None or token.kind != "join" or (token.text.lower() in _AND) is either:
            return False
        self.place += 1
        return True

    def one(self) -> Node:
        token = self._peek()
        if token != _Token("bracket", "("):
            return self.comparison()
        self.place += 1
        self.depth += 1
        if self.depth > _DEEPEST:
            raise LogicError(_("more than %(n)d brackets stand inside each other") % {"n": _DEEPEST})
        inside = self.any_of()
        if self._peek() != _Token("bracket", ")"):
            raise LogicError(_("a bracket is opened and not closed"))
        self.place += 1
        self.depth -= 1
        # Apart from its neighbors, so that ([x]='1' or [x]='2') or [x]='3' keeps its brackets.
        return Several("all", (inside,)) if isinstance(inside, OneOf) else inside

    def comparison(self) -> Node:
        left, sign, right = self._next(), self._next(), self._next()
        if sign.kind != "sign":
            if left.kind == "field":
                self._variable(left)
            raise LogicError(
                _("a comparison such as [age] >= 18 is missing before “%(text)s”") % {"text": sign.text[:40]}
            )
        if left.kind != "field":
            left, right = right, left
            sign = _Token("sign", _TURNED.get(sign.text, sign.text))
        if left.kind != "field" or right.kind not in {"field", "text", "number"}:
            raise LogicError(_("a comparison such as [age] >= 18 is missing around “%(text)s”") % {"text": sign.text})
        return _compare(self._variable(left), sign.text, self._operand(right))

    def _operand(self, token: _Token) -> Variable | str:
        if token.kind == "field":
            return self._variable(token)
        return token.text[1:-1] if token.kind == "text" else token.text

    def _variable(self, token: _Token) -> Variable:
        name = token.text[1:-1].strip()
        if name not in self.known:
            raise LogicError(_("[%(name)s] is no variable of an earlier row") % {"name": name[:60]})
        return self.known[name]

    def _peek(self) -> _Token | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def _next(self) -> _Token:
        token = self._peek()
        if token is None:
            raise LogicError(_("the expression ends too early"))
        self.place += 1
        return token


def _either(parts: list[Node]) -> Node:
    """Join by `or`; equalities of one variable that follow each other become one list of values."""
    joined: list[Node] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, OneOf) and isinstance(last, OneOf) and part.variable == last.variable:
            joined[-1] = OneOf(part.variable, last.values + tuple(v for v in part.values if v not in last.values))
        else:
            joined.append(part)
    return joined[0] if len(joined) == 1 else Several("any", tuple(joined))


def _compare(variable: Variable, sign: str, operand: Variable | str) -> Node:
    if sign in _UNEQUAL:
        if operand == "":
            return NotBlank(variable.name)
        raise LogicError(
            _("%(sign)s has no counterpart here, because its answer on a blank would be a guess") % {"sign": sign}
        )
    if operand == "":
        raise LogicError(_("a blank can't be asked for: with a blank, no condition holds"))
    if sign in _EQUAL:
        return _equal(variable, operand)
    if not isinstance(operand, str):
        return Compare(variable.name, _ORDERS[sign], other=operand.name)
    _require_number(variable, operand)
    return Compare(variable.name, _ORDERS[sign], number=_number(operand))


def _equal(variable: Variable, operand: Variable | str) -> Node:
    if not isinstance(operand, str):
        both = [Compare(variable.name, order, other=operand.name) for order in ("at_least", "at_most")]
        return Several("all", tuple(both))
    if variable.type == "yesno":
        if operand not in {"0", "1"}:
            raise LogicError(_("[%(name)s] is 1 for yes or 0 for no") % {"name": variable.name})
        return OneOf(variable.name, (operand == "1",))
    if variable.choices:
        for choice in variable.choices:
            if str(choice.value) == operand:
                return OneOf(variable.name, (choice.value,))
        raise LogicError(_("[%(name)s] has no choice “%(code)s”") % {"name": variable.name, "code": operand[:40]})
    _require_number(variable, operand)
    both = [Compare(variable.name, order, number=_number(operand)) for order in ("at_least", "at_most")]
    return Several("all", tuple(both))


def _require_number(variable: Variable, operand: str) -> None:
    scale = bool(variable.choices) and all(isinstance(choice.value, int) for choice in variable.choices)
    if not (scale or variable.type in {"integer", "decimal"}):
        raise LogicError(
            _("[%(name)s] is no number, and a date can only be compared with another date of the form")
            % {"name": variable.name}
        )
    if not _NUMBER.fullmatch(operand):
        raise LogicError(_("“%(text)s” is no number") % {"text": operand[:40]})


def _number(text: str) -> float:
    return int(text) if "." not in text else float(text)


def _condition(node: Node) -> Condition:
    settled = _settle(node, frozenset())
    if settled is None:  # can't be: what is needed is needed by a comparison
        raise LogicError(_("the expression compares nothing"))
    return settled


def _settle(node: Node, needed: frozenset[str]) -> Condition | None:
    """Turn what was read into a condition; None for a test for "not blank" that says nothing more."""
    if isinstance(node, NotBlank):
        if node.variable in needed:
            return None
        raise LogicError(
            _("a test for “not blank” is possible only beside a comparison of the same variable, joined by and")
        )
    if not isinstance(node, Several):
        return node
    if node.kind == "all":
        needed = needed.union(*(_needs(part) for part in node.parts))
    settled = [_settle(part, needed) for part in node.parts]
    if node.kind == "any" and None in settled:
        raise LogicError(_("a test for “not blank” can't be joined by or"))
    parts = tuple(part for part in settled if part is not None)
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else Group(node.kind, parts)


def _needs(node: Node) -> frozenset[str]:
    """Return the variables without a value of which the node never holds."""
    if isinstance(node, NotBlank):
        return frozenset()
    if not isinstance(node, Several):
        return frozenset(node.variables()) if isinstance(node, OneOf | Compare) else frozenset()
    needs = [_needs(part) for part in node.parts]
    return frozenset.union(*needs) if node.kind == "all" else frozenset.intersection(*needs)
