from django.apps import AppConfig


class CrfConfig(AppConfig):
    name = "apps.crf"

    def ready(self) -> None:
        # Models can't be imported before all apps are loaded.
        from apps.accounts.context import count_with
        from apps.audit import selectors as audit
        from apps.crf.double_entry import blinding as double_entry
        from apps.crf.double_entry import trail as double_entry_words
        from apps.crf.double_entry import verification as double_entry_checks
        from apps.crf.double_entry.selectors import count_waiting as count_to_reconcile
        from apps.crf.facts import facts_from_form
        from apps.crf.imports import trail as imports_trail
        from apps.crf.parts import register_parts
        from apps.crf.queries.rules import register_own_rules
        from apps.crf.queries.selectors import count_waiting
        from apps.crf.signatures import trail, verification
        from apps.crf.signatures.selectors import patients_unblinded
        from apps.crf.trail import register_words
        from apps.crf.verification import register_verification
        from apps.crf.versions import trail as versions_trail
        from apps.patients import blinding
        from apps.patients.facts import tell

        register_parts()
        register_own_rules()
        register_words()
        register_verification()
        trail.register_words()
        imports_trail.register_words()
        versions_trail.register_words()
        versions_trail.register_verification()
        verification.register_verification()
        double_entry_words.register_words()
        double_entry_checks.register_verification()
        audit.hide(double_entry.hidden_events)
        blinding.hide(double_entry.hidden_patients)
        count_with("double-entry:list", count_to_reconcile)
        tell(facts_from_form)
        count_with("queries:list", count_waiting)
        blinding.tell(patients_unblinded)
        self._look_at_the_dictionary()

    def _look_at_the_dictionary(self) -> None:
        """Have each request and each task find out anew which version of the dictionary is in force."""
        from celery.signals import task_prerun
        from django.core.signals import request_started

        from apps.crf.versions.current import look_again

        request_started.connect(look_again)
        task_prerun.connect(look_again)
