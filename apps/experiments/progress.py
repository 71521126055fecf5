"""How far a run is: many jobs, told as one."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from apps.core.models import Job
from apps.experiments.models import Experiment

# Parts of the whole that come before and after the training itself.
PREPARING, FINISHING = 0.02, 0.02


@dataclass(frozen=True)
class Progress:
    """What partials/job.html shows of a job, told of all jobs of a run."""

    state: str
    stage: str
    progress: float
    failure: str
    attempt: int
    heartbeat_at: datetime | None
    finished_at: datetime | None

    @property
    def state_label(self) -> str:
        return str(Job.State(self.state).label)

    @property
    def is_active(self) -> bool:
        return self.state in {Job.State.QUEUED, Job.State.RUNNING}

    @property
    def percent(self) -> int:
        return round(100 * self.progress)


def jobs_of(experiment: Experiment) -> list[Job]:
    """Return the jobs of a run, in the order of its work."""
    cells = [cell.job for cell in experiment.cells.all()]
    return [job for job in (experiment.job, *cells, experiment.finishing) if job is not None]


def progress_of(experiment: Experiment) -> Progress:
    """Tell how far a run is; it has failed when a job has and no other works any more."""
    jobs = jobs_of(experiment)
    failed = [job for job in jobs if job.state == Job.State.FAILED]
    return Progress(
        state=_state(experiment, jobs),
        stage=_stage(experiment, jobs),
        progress=1.0 if experiment.is_finished else _fraction(experiment),
        failure=failed[0].failure if failed else "",
        attempt=max((job.attempt for job in jobs), default=0),
        heartbeat_at=max((job.heartbeat_at for job in jobs if job.heartbeat_at), default=None),
        finished_at=experiment.finished_at or (failed[0].finished_at if failed else None),
    )


def _state(experiment: Experiment, jobs: list[Job]) -> Job.State:
    states = {job.state for job in jobs}
    if experiment.is_finished and not states & {Job.State.QUEUED, Job.State.RUNNING}:
        return Job.State.SUCCEEDED
    if states <= {Job.State.QUEUED}:
        return Job.State.QUEUED
    # Rows are read one after the other: a run may have ended since its own was read. Only a failed job says "failed".
    stands = Job.State.FAILED in states and not states & {Job.State.QUEUED, Job.State.RUNNING}
    return Job.State.FAILED if stands else Job.State.RUNNING


def _stage(experiment: Experiment, jobs: list[Job]) -> str:
    """What the working jobs say, the first two of them, with the count of networks that are trained."""
    said = [job.stage for job in jobs if job.state == Job.State.RUNNING and job.stage]
    parts = said[:2] if len(said) <= 2 else [*said[:2], "…"]
    cells = experiment.cells.all()
    if cells:
        trained = sum(cell.finished_at is not None for cell in cells)
        parts.append(_("%(done)d of %(total)d networks trained") % {"done": trained, "total": len(cells)})
    failed = sum(job.state == Job.State.FAILED for job in jobs)
    if failed:
        parts.append(_("%(n)d stopped") % {"n": failed})
    return " · ".join(parts)


def _fraction(experiment: Experiment) -> float:
    cells = experiment.cells.all()
    trained = sum(1.0 if cell.finished_at else cell.job.progress for cell in cells) / max(len(cells), 1)
    prepared = experiment.job.progress if experiment.job else 0.0
    finished = experiment.finishing.progress if experiment.finishing else 0.0
    return PREPARING * prepared + (1 - PREPARING - FINISHING) * trained + FINISHING * finished
