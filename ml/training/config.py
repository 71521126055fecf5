"""Everything that decides the result of a training run, in one validated and immutable object."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ml.errors import MLError
from ml.nets.shape import DENSENET121_BLOCKS, minimum_side

Arm = Literal["imaging", "fusion", "clinical"]
Scheme = Literal["random", "center"]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class BackboneConfig(_Frozen):
    """Shape of the DenseNet; the defaults are DenseNet-121."""

    init_features: int = Field(default=64, ge=4)
    growth_rate: int = Field(default=32, ge=2)
    block_config: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=DENSENET121_BLOCKS, min_length=2, max_length=5
    )


class AugmentationConfig(_Frozen):
    """Random changes of the training images; the study crops and rotates, the rest is off by default."""

    crop_fraction: Annotated[float, Field(gt=0.5, le=1)] = 0.9
    """Shortest side of a random crop, as a fraction of the whole; the crop is stretched back to the full size."""
    rotation_degrees: Annotated[float, Field(ge=0, le=45)] = 10.0
    """Largest rotation in the slice plane, either way."""
    flip_probability: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Probability of exchanging left and right."""
    noise_sd: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Standard deviation of Gaussian noise; the image's values run from 0 to 1."""


class TrainingConfig(_Frozen):
    """Configuration of nested cross-validation; the defaults are the published study's.

    Chen et al., European Journal of Radiology 2023, doi 10.1016/j.ejrad.2023.111081: 80 x 192 x 192 voxels, batches of
    32, learning rate 1e-4, five folds, 391 of 1990 patients held out. The paper names no number of epochs: training
    stops when the inner validation loss has not fallen for ``patience`` epochs.
    """

    image_shape: tuple[int, int, int] = (80, 192, 192)
    """(z, y, x) in voxels; an image of another size is resampled."""
    arms: tuple[Arm, ...] = Field(default=("imaging", "fusion"), min_length=1)
    without: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Names of features that are left out: a prognosis at the door cannot know what is decided after it."""
    scheme: Scheme = "random"
    """How the outer folds are drawn: ``random`` patients, or each ``center`` held out once (``folds`` has no say)."""
    folds: int = Field(default=5, ge=2, le=20)
    inner_folds: int = Field(default=1, ge=1, le=10)
    """More than one: nested cross-validation. Each inner fold of an outer fold's training patients stops the training
    of one network, and the outer fold is predicted by the mean of them. One: ``validation_fraction`` is set aside."""
    test_fraction: Fraction = 391 / 1990
    """Patients set aside before cross-validation; 0 for none."""
    validation_fraction: Annotated[float, Field(gt=0, le=0.5)] = 0.2
    """Part of each fold's training patients that decides when to stop; never the held-out fold."""
    epochs: int = Field(default=100, ge=1)
    patience: int = Field(default=15, ge=1)
    batch_size: int = Field(default=32, ge=4)
    micro_batch_size: int | None = Field(default=None, ge=2)
    """Images that pass the network at once; the gradients of a batch are added up. Left out: the whole batch, divided
    by the number of processes. Halved by itself where the memory is too small. Batch normalization sees only these."""
    learning_rate: float = Field(default=1e-4, gt=0, le=1)
    weight_decay: float = Field(default=0.0, ge=0, le=1)
    class_weighting: bool = True
    """Weigh the two outcomes equally in the loss; the stored model undoes the shift in prevalence that this makes."""
    gmu_size: int = Field(default=128, ge=2)
    backbone: BackboneConfig = BackboneConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    exact_normalization: bool = False
    """After each epoch, measure the statistics of batch normalization anew on the fit images ("precise BatchNorm": Wu
    and Johnson, "Rethinking 'Batch' in BatchNorm", arXiv 2105.07576). The usual moving averages lag behind the weights
    by dozens of steps, which is more than a small cohort makes."""
    mixed_precision: bool = True
    """Training steps in bfloat16 on CUDA. On the CPU training is always in float32: torch 2.13 was seen to return
    non-finite bfloat16 gradients of 3-D convolutions there (on a processor with AVX-512 BF16), and is no faster."""
    image_cache_gib: float = Field(default=16.0, ge=0)
    """Images are kept in memory if all of them fit in this many GiB, else they are read again in every epoch."""
    seed: int = Field(default=0, ge=0, lt=2**32)

    @classmethod
    def small(cls, **changes: object) -> Self:
        """Return the configuration of the demonstration: DenseNet-121 on small images, minutes on two cores."""
        settings: dict[str, object] = {
            "image_shape": (32, 32, 32),
            "epochs": 6,
            "patience": 6,
            "batch_size": 16,
            "learning_rate": 1e-3,
            "exact_normalization": True,
            "augmentation": AugmentationConfig(flip_probability=0.5),
        }
        return cls.model_validate(settings | changes)

    @model_validator(mode="after")
    def _check(self) -> Self:
        shortest = minimum_side(self.backbone.block_config)
        if min(self.image_shape) < shortest:
            raise ValueError(f"image_shape: each side must be at least {shortest} voxels for this backbone")
        if len(set(self.arms)) != len(self.arms):
            raise ValueError("arms: each arm may be named once")
        if len(set(self.without)) != len(self.without):
            raise ValueError("without: each feature may be named once")
        return self


def read_config(path: Path | str) -> TrainingConfig:
    """Read a configuration from a JSON file; what the file leaves out takes the study's value.

    Raises
    ------
    MLError
        ``bad_config``: the file is not JSON, names an unknown setting, or a value is out of range.
    """
    try:
        return TrainingConfig.model_validate_json(Path(path).read_bytes())
    except ValidationError as error:
        raise MLError("bad_config", f"The training configuration cannot be used: {first_problem(error)}.") from error
    except OSError as error:
        raise MLError("bad_config", "The training configuration cannot be read; check the path of the file.") from error


def first_problem(error: ValidationError) -> str:
    """Name the first faulty field and what is wrong with it, without repeating the value."""
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    what = problem["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
