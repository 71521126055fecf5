"""From the CSV to the dictionary: the rows in their order, the sections, the rules, and all faults at once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from pydantic import TypeAdapter, ValidationError

from apps.crf.dictionary import Dictionary, Rule, Section, Variable
from apps.crf.dictionary_checks import DICTIONARY_CHECKS, check_branch, check_rule
from apps.crf.redcap.annotation import Annotation, AnnotationError, read_annotation
from apps.crf.redcap.fields import FieldReader
from apps.crf.redcap.findings import Finding, RedcapRefusal, Report
from apps.crf.redcap.rows import Column, Row, read_rows
from apps.crf.redcap.texts import plain
from apps.crf.redcap.writing import form_title

_VARIABLE, _SECTION, _RULE = TypeAdapter(Variable), TypeAdapter(Section), TypeAdapter(Rule)
_DICTIONARY = TypeAdapter(Dictionary)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_NAME_LENGTH = 60
_SLUG_LENGTH = 20


@dataclass(frozen=True)
class Reading:
    """A dictionary from a REDCap file, and what of the file is not in it or means something else in it."""

    dictionary: Dictionary
    notes: tuple[Finding, ...]


@dataclass
class _Section:
    name: str
    label: dict[str, Any]
    form: str
    variables: list[Variable] = field(default_factory=list)


def csv_to_dictionary(text: str, *, name: str, version: str) -> Dictionary:
    """Return the dictionary of a REDCap data dictionary's text; RedcapRefusal holds all faults of the file."""
    return read_dictionary(text, name=name, version=version).dictionary


def read_dictionary(text: str, *, name: str, version: str) -> Reading:
    """The same, with notes on what is left out or means something else here."""
    reader = _Reader()
    for number, row in enumerate(read_rows(text, reader.report)):
        reader.take(row, first=not number)
    dictionary = reader.finish(name, version)
    if reader.report.faults or dictionary is None:
        raise RedcapRefusal(sorted(reader.report.faults, key=lambda fault: fault.row or 0))
    return Reading(dictionary, tuple(sorted(reader.report.notes, key=lambda note: note.row or 0)))


@dataclass
class _Reader:
    """Takes the rows one by one."""

    report: Report = field(default_factory=Report)
    sections: list[_Section] = field(default_factory=list)
    known: dict[str, Variable] = field(default_factory=dict)
    rules: list[tuple[Row, Any]] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)
    # Rows by the name of their field, those with faults too.
    rows: dict[str, Row] = field(default_factory=dict)
    form: str = ""
    forms: set[str] = field(default_factory=set)
    # A header whose own row is left out stands above the next.
    header: str = ""
    untranslated: set[int] = field(default_factory=set)
    has_outcome: bool = False

    def take(self, row: Row, *, first: bool) -> None:
        annotation = self._annotation(row)
        self._form(row)
        self.header = row[Column.HEADER] or self.header
        if first:
            self._record(row, annotation)
        elif row[Column.TYPE].lower() == "descriptive":
            self.report.note(_("A text without an answer; it is left out."), row.number, row.name[:80])
        else:
            self._field(row, annotation)

    def _annotation(self, row: Row) -> Annotation:
        try:
            return read_annotation(row[Column.ANNOTATION])
        except AnnotationError as error:
            self.report.fault(_("In the Field Annotation, %(why)s.") % {"why": error}, row.number, row.name[:80])
            return Annotation()

    def _form(self, row: Row) -> None:
        """Begin the row's form; REDCap too takes its name in small letters and with underscores."""
        form = re.sub(r"[^a-z0-9]+", "_", row[Column.FORM].lower()).strip("_")
        if not _NAME.fullmatch(form):
            self.report.fault(
                _("The Form Name must begin with a letter, and have at most 60 letters and digits."),
                row.number,
                row.name[:80],
            )
        elif form != self.form:
            if form in self.forms:
                self.report.fault(
                    _("The rows of the form “%(form)s” do not follow each other.") % {"form": form},
                    row.number,
                    row.name[:80],
                )
            self.form, self.header = form, ""
            self.forms.add(form)
            self.sections.append(_Section("", {}, self.form))

    def _record(self, row: Row, annotation: Annotation) -> None:
        if row[Column.TYPE].lower() != "text":
            self.report.fault(
                _("The first row must be the record ID, a text: REDCap takes the first field for it."),
                row.number,
                row.name[:80],
            )
        about = annotation.data.get("dictionary")
        self.about = about if isinstance(about, dict) else {}
        if not self.about:
            self.report.note(_("The record ID is left out; the study ID takes its place."), row.number, row.name[:80])

    def _field(self, row: Row, annotation: Annotation) -> None:
        if row.name in self.rows:
            self.report.fault(
                _("The name is there twice (first in row %(n)d).") % {"n": self.rows[row.name].number},
                row.number,
                row.name,
            )
        elif not _NAME.fullmatch(row.name):
            self.report.fault(
                _("A name begins with a small letter and has at most 60 small letters, digits and underscores."),
                row.number,
                row.name[:80],
            )
        self.rows.setdefault(row.name, row)
        self.has_outcome |= bool(annotation.data.get("poor_outcome"))
        self._section(row, annotation.data.get("section"))
        rules = annotation.data.get("rules", [])
        self.rules += [(row, rule) for rule in (rules if isinstance(rules, list) else [rules])]
        reader = FieldReader(row, annotation, self.known, self.report)
        data = reader.read()
        if reader.untranslated:
            self.untranslated.add(row.number)
        if data is not None:
            self._variable(row, data)

    def _variable(self, row: Row, data: dict[str, Any]) -> None:
        try:
            variable = _VARIABLE.validate_python(data)
            check_branch(variable, self.known)
        except ValidationError as error:
            for sentence in _sentences(error):
                self.report.fault(sentence, row.number, row.name[:80])
        except ValueError as error:
            self.report.fault(f"{error}.", row.number, row.name[:80])
        else:
            self.known.setdefault(variable.name, variable)
            self.sections[-1].variables.append(variable)

    def _section(self, row: Row, kept: Any) -> None:
        """Begin a section where the form, a header or the annotation says so."""
        header, marked = plain(self.header)
        if marked:
            self.report.note(
                _("Formatting (HTML) is left out of “%(column)s”; the text stays.") % {"column": Column.HEADER},
                row.number,
                row.name[:80],
            )
        kept = kept if isinstance(kept, dict) else {}
        new = not (self.sections and self.sections[-1].name)
        self.header = ""
        if not (new or header or kept):
            return
        if not (new and self.sections):
            self.sections.append(_Section("", {}, self.form))
        label = header or form_title(self.form)
        name, chinese = kept.get("name"), kept.get("zh-Hans")
        if not isinstance(chinese, str):
            self.untranslated.add(row.number)
            chinese = label
        self.sections[-1].name = name if isinstance(name, str) else self._section_name(header, first=new)
        self.sections[-1].label = {"en": label, "zh-Hans": chinese}

    def _section_name(self, header: str, *, first: bool) -> str:
        """Return the form's name for its first section, and for a further one the form's and its header's."""
        if first:
            return self.form
        # The form's name whole, so that the form comes back; of the header's what has room.
        room = _NAME_LENGTH - len(self.form) - len("__")
        slug = re.sub(r"[^a-z0-9]+", "_", header.lower()).strip("_")[: min(_SLUG_LENGTH, max(1, room - 3))].strip("_")
        base = f"{self.form}__{slug or 's'}"
        used = {section.name for section in self.sections}
        names = (base if number == 1 else f"{base}_{number}" for number in range(1, len(used) + 2))
        return next(name for name in names if name not in used)

    def finish(self, name: str, version: str) -> Dictionary | None:
        """Put the dictionary together; None where something in it is wrong."""
        if not self.rows:
            self.report.fault(_("The file defines no variable."))
            return None
        if not self.has_outcome:
            self.report.fault(
                _(
                    "No variable says what a poor outcome is. Add to its Field Annotation, with the codes that count "
                    "as poor: %(tag)s"
                )
                % {"tag": '@ICHOR={"outcome": true, "poor_outcome": [1, 2, 3]}'}
            )
        rules = self._rules()
        self._notes()
        if self.report.faults:
            return None
        title = self.about.get("title", {"en": name, "zh-Hans": name})
        sections = [section for section in self.sections if section.variables]
        data = {"name": name, "version": version, "title": title, **self._forms(sections, rules)}
        try:
            return _DICTIONARY.validate_python(data)
        except ValidationError as error:
            self._whole(error, sections, rules)
            return None

    def _forms(self, sections: list[_Section], rules: list[Rule]) -> dict[str, Any]:
        """Deal sections and rules to the main form and those beside it; without our annotation all are of the main."""
        kept = self.about.get("forms", ())
        kept = [form for form in kept if isinstance(form, dict)] if isinstance(kept, list) else []
        data: dict[str, Any] = {"visits": self.about.get("visits", ()), "forms": []}
        for form in kept:
            mine = [section for section in sections if section.form == form.get("form")]
            names = {variable.name for section in mine for variable in section.variables}
            if mine:
                rest = {key: value for key, value in form.items() if key != "form"}
                asked = {"sections": _as_sections(mine), "rules": [r for r in rules if names >= set(r.variables)]}
                data["forms"].append(rest | asked)
            sections = [section for section in sections if section not in mine]
            rules = [rule for rule in rules if not names >= set(rule.variables)]
        return data | {"sections": _as_sections(sections), "rules": rules}

    def _rules(self) -> list[Rule]:
        """Return the rules in their order."""
        found: list[tuple[int, Rule]] = []
        for row, data in self.rules:
            data = dict(data) if isinstance(data, dict) else {}
            place = data.pop("place", len(self.rules))
            try:
                rule = _RULE.validate_python(data)
                check_rule(rule, self.known)
                found.append((place if isinstance(place, int) else len(self.rules), rule))
            except ValidationError as error:
                for sentence in _sentences(error):
                    self.report.fault(
                        _("A rule in @ICHOR is wrong: %(why)s") % {"why": sentence}, row.number, row.name[:80]
                    )
            except ValueError as error:
                self.report.fault(
                    _("A rule in @ICHOR is wrong: %(why)s") % {"why": f"{error}."}, row.number, row.name[:80]
                )
        return [rule for _place, rule in sorted(found, key=lambda pair: pair[0])]

    def _notes(self) -> None:
        if self.untranslated:
            sentence = ngettext(
                "%(n)d row has a text without a Chinese one; the English stands in its place.",
                "%(n)d rows have texts without Chinese ones; the English stand in their place.",
                len(self.untranslated),
            )
            self.report.note(sentence % {"n": len(self.untranslated)})
        expected = self.about.get("rules")
        if isinstance(expected, int) and expected > len(self.rules):
            sentence = ngettext(
                "%(n)d rule was kept on a row that is no longer in the file, and is left out.",
                "%(n)d rules were kept on rows that are no longer in the file, and are left out.",
                expected - len(self.rules),
            )
            self.report.note(sentence % {"n": expected - len(self.rules)})

    def _whole(self, error: ValidationError, sections: list[_Section], rules: list[Rule]) -> None:
        """Say everything that is wrong with the whole, not only what was met first."""
        if not all(_NAME.fullmatch(section.name) for section in sections):
            for sentence in _sentences(error):
                self.report.fault(sentence)
            return
        whole = [_SECTION.validate_python(each) for each in _as_sections(sections)]
        for check in DICTIONARY_CHECKS:
            try:
                check(whole, rules)
            except ValueError as fault:
                self.report.fault(f"{fault}.")
        if not self.report.faults:
            for sentence in _sentences(error):
                self.report.fault(sentence)


def _as_sections(sections: Iterable[_Section]) -> list[dict[str, Any]]:
    return [{"name": s.name, "label": s.label, "variables": s.variables} for s in sections]


def _sentences(error: ValidationError) -> list[str]:
    """Return what pydantic found, each with its place."""
    found = []
    for each in error.errors():
        place = ".".join(str(part) for part in each["loc"])
        text = each["msg"].removeprefix("Value error, ")
        found.append(f"{place}: {text}." if place else f"{text}.")
    return found
