"""manage.py demo: a simulated five-center study, from enrollment to ROC curves, by the same code as a real one."""

import signal
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apps.accounts.models import User
from apps.core.models import Job
from apps.demonstration import processes
from apps.demonstration.cohort import best_probabilities, build_cohort
from apps.demonstration.people import create_people, sign_in_table
from apps.demonstration.summary import summary_lines
from apps.demonstration.worklists import fill_worklists
from apps.experiments.models import Experiment
from apps.experiments.presets import config_of
from apps.experiments.progress import progress_of
from apps.experiments.services import retry_experiment, start_experiment

EXPERIMENT = "Demonstration: five-fold cross-validation on small images"


class Command(BaseCommand):
    help = "Create the demonstration study (simulated patients), run the whole flow, and serve it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--no-serve", action="store_true", help="run the flow, print the summary and end")
        parser.add_argument("--patients", type=int, default=100, help="patients with a known outcome")
        parser.add_argument("--in-hospital", type=int, default=5, help="patients whose outcome is not known yet")
        parser.add_argument("--epochs", type=int, help="epochs of training, if other than the small configuration's")

    def handle(
        self, *args: Any, port: int, no_serve: bool, patients: int, in_hospital: int, epochs: int | None, **options: Any
    ) -> None:
        if not settings.DEMONSTRATION:
            raise CommandError("This would fill the study with simulated patients. Set ICHOR_DEMONSTRATION=1 first.")
        if not no_serve and not processes.is_free(port):
            raise CommandError(f"Port {port} is in use. Choose another: make demo PORT=8001")
        # Ended by whatever signal, the workers and the web server end too.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        self.shown = ("", -1)
        self.started, self.began = time.monotonic(), timezone.now()
        call_command("migrate", verbosity=0)
        create_people()
        try:
            with processes.workers() as running:
                build_cohort(analysed=patients, in_hospital=in_hospital, report=self.report)
                self.wait("preprocessing", running)
                fill_worklists()
                self.train(epochs)
                self.wait("training", running)
                self.stdout.write("\n".join(summary_lines(best_probabilities(patients + in_hospital))))
                if not no_serve:
                    self.serve(port)
        except KeyboardInterrupt:
            self.stdout.write("\nStopped. `make demo` goes on where it was.")

    def train(self, epochs: int | None) -> None:
        """Start the cross-validation, once; one that failed goes on from its last checkpoint."""
        scientist = User.objects.get(username="scientist")
        earlier = Experiment.objects.filter(name=EXPERIMENT).first()
        if earlier is not None:
            if progress_of(earlier).state == Job.State.FAILED:
                retry_experiment(actor=scientist, experiment=earlier)
            return
        config = config_of("small")
        if epochs is not None:
            config = config.model_copy(update={"epochs": epochs, "patience": epochs})
        start_experiment(actor=scientist, name=EXPERIMENT, config=config)

    def wait(self, what: str, running: list[Any]) -> None:
        """Wait until no job is waiting or running; a job that failed ends the demonstration with its sentence."""
        active = [Job.State.QUEUED, Job.State.RUNNING]
        total = 1
        while left := list(Job.objects.filter(state__in=active)):
            if any(process.poll() is not None for process in running):
                raise CommandError(f"A worker ended; its log is in {settings.VAR}.")
            total = max(total, len(left))
            partial = sum(job.progress for job in left if job.state == Job.State.RUNNING)
            self.report(what, (total - len(left) + partial) / total)
            time.sleep(0.3)
        # Of this start alone: a CT that somebody's try-out upload left refused is no fault of the demonstration.
        failed = Job.objects.filter(state=Job.State.FAILED, finished_at__gte=self.began).first()
        if failed is not None:
            raise CommandError(f"Job {failed.pk} ({failed.task}) failed: {failed.failure}")

    def report(self, what: str, fraction: float) -> None:
        """Print a line at each tenth of the way."""
        tenth = int(10 * fraction)
        if self.shown != (what, tenth):
            self.shown = (what, tenth)
            self.stdout.write(f"[{time.monotonic() - self.started:5.0f} s] {what} {10 * tenth} %")
            self.stdout.flush()

    def serve(self, port: int) -> None:
        """Serve until interrupted."""
        lines = ["", f"Ichor is at http://127.0.0.1:{port}/  (Ctrl-C ends it)", "", "Accounts:"]
        lines += [f"  {role:<24} {username:<16} {password}" for role, username, password in sign_in_table()]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()
        web = processes.start_web(port)
        try:
            if web.wait():
                raise CommandError("The web server ended; what it said stands above.")
        finally:
            processes.stop(web)
