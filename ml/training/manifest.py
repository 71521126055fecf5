"""The list of cases that a training run works on: what the platform hands over, and all that it hands over."""

import hashlib
import json
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from ml.errors import MLError
from ml.training.config import first_problem
from ml.training.files import write_text

ClinicalValue = bool | int | float | str | None
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Feature(_Frozen):
    """A clinical variable of the model, as the study's data dictionary defines it."""

    name: str = Field(min_length=1)
    kind: Literal["numeric", "binary", "categorical"]
    levels: tuple[str | int, ...] | None = None
    """Values of a categorical variable; left out, they are those that the training patients have."""
    unit: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.levels is not None and self.kind != "categorical":
            raise ValueError("only a categorical feature has levels")
        if self.levels is not None and len({str(level) for level in self.levels}) != len(self.levels):
            raise ValueError("each level may be named once")
        return self


class Case(_Frozen):
    """One CT with its clinical record and its outcome."""

    id: str = Field(min_length=1)
    patient: str = Field(min_length=1)
    """Pseudonym; all cases of one patient fall into the same part of every split."""
    center: str = Field(min_length=1)
    label: Literal[0, 1]
    """1 = poor outcome."""
    image: str
    """Path of a .npy file relative to the manifest: float16 or float32, (z, y, x), values 0..1, from ``preprocess``."""
    image_sha256: Sha256
    clinical: dict[str, ClinicalValue]
    hematoma: dict[str, float] | None = None
    """Shape and density by the names of ``ml.hematoma.FEATURES``; left out where they were not measured."""
    scores: dict[str, int | None] = {}
    """Points by the keys of ``ml.scores.SCORES``, null where a score cannot be computed."""

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A manifest that has neither keeps the digest that it had before they were known.
        content: dict[str, Any] = dump(self)
        return {key: value for key, value in content.items() if key not in ("hematoma", "scores") or value}

    @model_validator(mode="after")
    def _check(self) -> Self:
        path = PurePosixPath(self.image)
        if path.is_absolute() or ".." in path.parts or path.suffix != ".npy":
            raise ValueError("image must be a path to a .npy file below the manifest's folder")
        return self


class Manifest(_Frozen):
    """Cases and features of one frozen cohort snapshot."""

    format: Literal["ichor-manifest-1"] = Field(default="ichor-manifest-1", alias="schema")
    snapshot_digest: str = Field(min_length=1)
    preprocessing_version: str | None = None
    """Version of ``ml.preprocessing`` that made the images; left out, the installed one."""
    features: tuple[Feature, ...]
    cases: tuple[Case, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [feature.name for feature in self.features]
        if len(set(names)) != len(names):
            raise ValueError("two features have the same name")
        if len({case.id for case in self.cases}) != len(self.cases):
            raise ValueError("two cases have the same id")
        for number, case in enumerate(self.cases, start=1):
            if set(case.clinical) != set(names):
                raise ValueError(f"case {number} must have exactly the values that the features name (null if missing)")
        return self

    def features_without(self, names: Collection[str]) -> tuple[Feature, ...]:
        """Return the features but for those named.

        Raises
        ------
        MLError
            ``bad_config``: no feature has such a name, or none is left.
        """
        unknown = sorted(set(names) - {feature.name for feature in self.features})
        if unknown:
            raise MLError("bad_config", f"without: the manifest has no feature {', '.join(unknown)}; correct the name.")
        left = tuple(feature for feature in self.features if feature.name not in names)
        if names and not left:
            raise MLError("bad_config", "without: no feature is left; leave out fewer.")
        return left

    def digest(self) -> str:
        """Return the SHA-256 of the content, whatever the layout of the file."""
        canonical = json.dumps(self.model_dump(mode="json", by_alias=True), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def read_manifest(path: Path | str) -> Manifest:
    """Read and check a manifest.

    Raises
    ------
    MLError
        ``bad_manifest``: unreadable, or its content is not a manifest.
    """
    try:
        return Manifest.model_validate_json(Path(path).read_bytes())
    except ValidationError as error:
        raise MLError("bad_manifest", f"The manifest cannot be used: {first_problem(error)}.") from error
    except OSError as error:
        raise MLError("bad_manifest", "The manifest cannot be read; check the path of the file.") from error


def write_manifest(manifest: Manifest, path: Path | str) -> None:
    """Write a manifest as JSON; a crash leaves the old file or the new one."""
    write_text(Path(path), manifest.model_dump_json(by_alias=True, indent=1))
