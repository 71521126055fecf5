"""What each clinical feature adds to the logit, against the typical training patient."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ml.explanation.result import Contribution
from ml.training.encoder import ClinicalEncoder
from ml.training.manifest import ClinicalValue


def typical_patient(encoder: ClinicalEncoder) -> Tensor:
    """Encode the typical training patient, (1, width) float64.

    Numeric features stand at their mean, binary and categorical ones at the most frequent value; nothing is missing.
    """
    columns: list[float] = []
    for item in encoder.fitted:
        encoded = item.encode(item.center if item.feature.kind == "numeric" else item.fill)
        columns += [*encoded[:-1], 0.0] if item.indicated else encoded
    return torch.tensor([columns], dtype=torch.float64)


def by_feature(
    encoders: Sequence[ClinicalEncoder], shares: Sequence[Tensor], record: Mapping[str, ClinicalValue]
) -> tuple[Contribution, ...]:
    """Add up the shares of the columns of each feature, over all networks; the largest by amount come first.

    Parameters
    ----------
    encoders, shares
        One a network, the shares (1, width) as its encoder lays out its columns.
    record
        Values by feature name.
    """
    logits: dict[str, float] = {}
    for encoder, share in zip(encoders, shares, strict=True):
        parts = share[0].split([item.width for item in encoder.fitted])
        for item, part in zip(encoder.fitted, parts, strict=True):
            logits[item.feature.name] = logits.get(item.feature.name, 0.0) + float(part.sum())
    ordered = sorted(logits.items(), key=lambda entry: -abs(entry[1]))
    return tuple(Contribution(name, record.get(name), logit) for name, logit in ordered)
