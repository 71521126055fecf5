"""Filling the case report form in the browser."""

from __future__ import annotations

from playwright.sync_api import Page

VALUES = {
    "admission_date": "2026-03-02",
    "age": "71",
    "sex": "male",
    "onset_to_ct_hours": "2.5",
    "gcs": "10",
    "nihss": "17",
    "headache": "true",
    "emesis": "true",
    "coma": "false",
    "ivh": "false",
    "subarachnoid": "false",
    "subdural": "false",
    "extradural": "false",
    "bleed_side": "left",
    "location": "supratentorial",
    "bleed_site": "basal_ganglia",
    "history_hemorrhagic_stroke": "false",
    "history_ischemic_stroke": "false",
    "hypertension": "true",
    "diabetes_mellitus": "false",
    "hyperlipidemia": "false",
    "coronary_heart_disease": "false",
    "heart_failure": "false",
    "arrhythmia": "false",
    "anticoagulant_therapy": "false",
    "antiplatelet_therapy": "true",
    "smoking": "true",
    "alcohol": "false",
    "cognitive_impairment": "false",
    "systolic_bp": "182",
    "diastolic_bp": "101",
    "treatment": "cmt",
    "withdrawal_of_care": "false",
}


def enter(page: Page, name: str, value: str) -> None:
    """Enter one value, whatever control the form has for it."""
    control = page.locator(f"[name={name}]").first
    if control.evaluate("control => control.tagName") == "SELECT":
        control.select_option(value)
    elif control.get_attribute("type") == "radio":
        option = page.locator(f"input[name={name}][value='{value}']")
        page.locator("label").filter(has=option).first.click()
    else:
        control.fill(value)


def enter_all(page: Page, values: dict[str, str]) -> None:
    for name, value in values.items():
        enter(page, name, value)
