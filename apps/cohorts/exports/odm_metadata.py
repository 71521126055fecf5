"""The data dictionary as the MetaDataVersion of CDISC ODM 1.3.2: visits, forms, sections, items, codes, branching."""

from collections.abc import Iterator

from django.utils import translation

from apps.cohorts.exports.entries import asked_at
from apps.cohorts.exports.xml import element, text_element, translated
from apps.crf.conditions import Condition
from apps.crf.dictionary import Choice, Questions, Range, Section, Variable, VariableType, load_dictionary
from apps.crf.missing import Missing
from apps.crf.places import MAIN, STAY
from apps.crf.redcap.logic_text import write_logic
from apps.crf.texts import Text
from apps.crf.values import bounds, format_number

STUDY = "S.ichor"
FLAG_TYPES, FLAG_VALUES, MISSING_FLAG = "CL.flag_type", "CL.missing", "missing"
_NUMERIC = (VariableType.INTEGER, VariableType.DECIMAL)
_STAY = Text(**{"en": "Hospital stay", "zh-Hans": "住院期间"})
_FLAG = Text(**{"en": "Why a value is missing", "zh-Hans": "缺失原因"})
_OUTSIDE = {
    "Hard": Text(**{"en": "Outside what is possible: refused.", "zh-Hans": "超出允许范围，不予接受。"}),
    "Soft": Text(**{"en": "Unusual: to be checked.", "zh-Hans": "数值异常，请核对。"}),
}


def version_oid() -> str:
    return f"MDV.{load_dictionary().id}"


def units() -> str:
    """Return the BasicDefinitions: the units of measurement."""
    found = {variable.unit.en: variable.unit for variable in load_dictionary().all_variables.values() if variable.unit}
    return element(
        "BasicDefinitions", None,
        *(element("MeasurementUnit", {"OID": _unit(unit), "Name": unit.en}, translated("Symbol", unit))
          for unit in found.values()),
    )  # fmt: skip


def metadata() -> str:
    """Return the MetaDataVersion."""
    dictionary = load_dictionary()
    variables = dictionary.all_variables.values()
    parts = [*_events(), *_forms(), *(_group(section) for section in dictionary.all_sections)]
    parts += [_item(variable) for variable in variables]
    parts += [_code_list(variable) for variable in variables if variable.choices]
    parts += _flag_lists()
    parts += [_condition(variable.name, variable.show_if) for variable in variables if variable.show_if]
    return element("MetaDataVersion", {"OID": version_oid(), "Name": dictionary.title.en}, *parts)


def _unit(unit: Text) -> str:
    return f"MU.{unit.en}"


def _events() -> Iterator[str]:
    labels = {STAY: _STAY} | {visit.name: visit.label for visit in load_dictionary().visits}
    refs = [
        element("StudyEventRef", {"StudyEventOID": f"SE.{name}", "OrderNumber": number, "Mandatory": "No"})
        for number, name in enumerate(asked_at(), start=1)
    ]
    yield element("Protocol", None, *refs)
    for name, forms in asked_at().items():
        inner = [
            element("FormRef", {"FormOID": f"F.{form}", "OrderNumber": number, "Mandatory": _yes(form == MAIN)})
            for number, form in enumerate(forms, start=1)
        ]
        attributes = {"OID": f"SE.{name}", "Name": labels[name].en, "Repeating": "No", "Type": "Scheduled"}
        yield element("StudyEventDef", attributes, translated("Description", labels[name]), *inner)


def _forms() -> Iterator[str]:
    dictionary = load_dictionary()
    yield _form(MAIN, dictionary.title, dictionary, repeats=False)
    for form in dictionary.forms:
        yield _form(form.name, form.label, form, repeats=form.repeats)


def _form(name: str, label: Text, questions: Questions, *, repeats: bool) -> str:
    refs = [
        element("ItemGroupRef", {"ItemGroupOID": f"IG.{section.name}", "OrderNumber": number, "Mandatory": "No"})
        for number, section in enumerate(questions.sections, start=1)
    ]
    attributes = {"OID": f"F.{name}", "Name": label.en, "Repeating": _yes(repeats)}
    return element("FormDef", attributes, translated("Description", label), *refs)


def _group(section: Section) -> str:
    refs = [
        element("ItemRef", {
            "ItemOID": f"I.{variable.name}", "OrderNumber": number, "Mandatory": _yes(variable.required),
            "CollectionExceptionConditionOID": f"COND.{variable.name}" if variable.show_if else None,
        })
        for number, variable in enumerate(section.variables, start=1)
    ]  # fmt: skip
    attributes = {"OID": f"IG.{section.name}", "Name": section.label.en, "Repeating": "No"}
    return element("ItemGroupDef", attributes, translated("Description", section.label), *refs)


def _item(variable: Variable) -> str:
    inner = [translated("Description", variable.help)] if variable.help else []
    inner.append(translated("Question", variable.label))
    if variable.unit:
        inner.append(_unit_ref(variable))
    inner += _checks(variable)
    if variable.choices:
        inner.append(element("CodeListRef", {"CodeListOID": f"CL.{variable.name}"}))
    kind, length, digits = _data_type(variable)
    attributes = {
        "OID": f"I.{variable.name}", "Name": variable.name, "DataType": kind, "Length": length,
        "SignificantDigits": digits,
    }  # fmt: skip
    return element("ItemDef", attributes, *inner)


def _unit_ref(variable: Variable) -> str:
    return element("MeasurementUnitRef", {"MeasurementUnitOID": _unit(variable.unit)}) if variable.unit else ""


def _data_type(variable: Variable) -> tuple[str, int | None, int | None]:
    """Return DataType, Length and SignificantDigits; the length of a number counts its digits."""
    whole = max((len(str(abs(int(end)))) for end in bounds(variable.range) if abs(end) < float("inf")), default=15)
    match variable.type:
        case VariableType.INTEGER:
            return "integer", whole, None
        case VariableType.DECIMAL:
            return "float", whole + variable.decimals, variable.decimals
        case VariableType.YESNO:
            return "boolean", None, None
        case VariableType.DATE:
            return "date", None, None
        case VariableType.CHOICE:
            return _code_type(variable.choices), max(len(str(choice.value)) for choice in variable.choices), None
    return "text", variable.max_length, None


def _code_type(choices: tuple[Choice, ...]) -> str:
    return "integer" if all(isinstance(choice.value, int) for choice in choices) else "text"


def _checks(variable: Variable) -> Iterator[str]:
    """Dates have none: those of the file are moved, so that the bounds of the true ones do not hold for them."""
    if variable.type not in _NUMERIC:
        return
    for kind, limits in (("Hard", variable.range), ("Soft", variable.usual)):
        if limits is not None:
            yield from _check(variable, kind, limits)


def _check(variable: Variable, kind: str, limits: Range) -> Iterator[str]:
    for comparator, end in zip(("GE", "LE"), bounds(limits), strict=True):
        yield element(
            "RangeCheck", {"Comparator": comparator, "SoftHard": kind}, text_element("CheckValue", format_number(end)),
            _unit_ref(variable), translated("ErrorMessage", _OUTSIDE[kind]),
        )  # fmt: skip


def _code_list(variable: Variable) -> str:
    attributes = {"OID": f"CL.{variable.name}", "Name": variable.label.en, "DataType": _code_type(variable.choices)}
    return element("CodeList", attributes, *(_code(str(choice.value), choice.label) for choice in variable.choices))


def _code(value: str, label: Text) -> str:
    return element("CodeListItem", {"CodedValue": value}, translated("Decode", label))


def _flag_lists() -> list[str]:
    """Return the codes of the flags that say why a value is missing."""
    lists = {FLAG_VALUES: {each.value: _both(each) for each in Missing}, FLAG_TYPES: {MISSING_FLAG: _FLAG}}
    return [
        element("CodeList", {"OID": oid, "Name": oid, "DataType": "text"}, *(_code(*pair) for pair in codes.items()))
        for oid, codes in lists.items()
    ]


def _both(missing: Missing) -> Text:
    with translation.override("en"):
        english = str(missing.label)
    with translation.override("zh-hans"):
        return Text(**{"en": english, "zh-Hans": str(missing.label)})


def _condition(name: str, show_if: Condition) -> str:
    """Return when an item is not collected: ODM names the exception, the dictionary what it is asked for."""
    logic = write_logic(show_if)
    words = Text(**{"en": f"Asked only if {logic}", "zh-Hans": f"仅在以下条件成立时填写：{logic}"})
    return element(
        "ConditionDef", {"OID": f"COND.{name}", "Name": f"{name} does not apply"}, translated("Description", words),
        text_element("FormalExpression", f"if({logic}, 0, 1) = 1", {"Context": "REDCap"}),
    )  # fmt: skip


def _yes(is_so: bool) -> str:
    return "Yes" if is_so else "No"
