"""Losses by name, as the configurations and the command line give them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ..errors import InputError, did_you_mean
from ..maps import KINDS, RECTIFIED_KINDS
from .base import LabelLoss
from .calibration_error import ACE_WEIGHT, CalibrationErrorLoss
from .dice import DiceCELoss, DiceLoss
from .generalized import ANNEALING, GeneralizedRectifiedLoss
from .lovasz import LovaszLoss
from .margin import MarginCrossEntropyLoss
from .overlap import PRESETS
from .pixelwise import CrossEntropyLoss, FocalLoss, WeightedCrossEntropyLoss
from .region_wise import RegionWiseLoss
from .schedules import SCHEDULES, ScheduledLoss
from .semimetric import CE_WEIGHT, DiceSemimetricLoss, JaccardMetricLoss
from .summed import SummedLoss
from .wing import AdaptiveWingLoss

_SEMIMETRIC: Mapping[str, Callable[..., LabelLoss]] = {
    "dml": DiceSemimetricLoss,
    "jml": JaccardMetricLoss,
    "dml:version=2": partial(DiceSemimetricLoss, version=2),
    "jml:version=2": partial(JaccardMetricLoss, version=2),
}


def _with_cross_entropy(semimetric: str, soft: bool = False) -> LabelLoss:
    """Sum of a semimetric loss and cross-entropy, with the published weights 0.75 and 0.25."""
    losses = [_SEMIMETRIC[semimetric](soft=soft), CrossEntropyLoss(soft)]
    return SummedLoss(losses, [1 - CE_WEIGHT, CE_WEIGHT])


def _with_calibration(name: str, soft: bool = False) -> LabelLoss:
    """Sum of a loss without a map and the calibration error, with the weight of the authors of MONAI's tutorial."""
    return SummedLoss([_PLAIN[name](soft=soft), CalibrationErrorLoss(soft)], [1.0, ACE_WEIGHT])


# Losses without a map, each a function of ``soft``.
_PLAIN: Mapping[str, Callable[..., LabelLoss]] = {
    "dice": DiceLoss,
    "dice_ce": DiceCELoss,
    "focal": FocalLoss,
    "ce": CrossEntropyLoss,
    "lovasz": LovaszLoss,
    "mbls": MarginCrossEntropyLoss,
    "wing": AdaptiveWingLoss,
    **{f"dice:{name}": partial(DiceLoss, **settings) for name, settings in PRESETS.items()},
    **_SEMIMETRIC,
    **{f"{name}+ce": partial(_with_cross_entropy, name) for name in _SEMIMETRIC},
    **{f"{name}+ace": partial(_with_calibration, name) for name in ("dice", "ce", "dice_ce")},
}
_PARTNERS: Mapping[str, Callable[..., LabelLoss]] = {
    "dice": DiceLoss,
    "ce": CrossEntropyLoss,
    "dml": DiceSemimetricLoss,
    "jml": JaccardMetricLoss,
}
_COMBINATION = f"<map>+<{'|'.join(_PARTNERS)}>:<{'|'.join(SCHEDULES)}>"
_FORMS = ("annealed", "q")

ANNEALED_NAMES = tuple(f"{kind}:annealed" for kind in RECTIFIED_KINDS)
SINGLE_NAMES = (*KINDS, *ANNEALED_NAMES, "rrw:q=0.5", *_PLAIN, "wce_rrw")
# Of the combinations those of the paper; `make_loss` takes a map with every partner.
LOSS_NAMES = (
    *SINGLE_NAMES,
    *(f"{kind}+{partner}:{schedule}" for kind in KINDS for partner in ("dice", "ce") for schedule in SCHEDULES),
)


def make_loss(
    name: str,
    spacing: Sequence[float] | None = None,
    class_weights: Sequence[float] | None = None,
    backend: str = "auto",
    soft: bool = False,
) -> LabelLoss:
    """Make a loss of logits (B, C, *spatial) against labels (B, 1, *spatial), or labels and d̂ (B, 2, *spatial).

    All take both targets, 2-D or 3-D; those that do not use d̂ ignore it. All take soft labels in the same way.

    Args:
        name: one of

            - a region-wise map (``rrw``, ``boundary``, ...): `RegionWiseLoss`;
            - a rectified map and ``:annealed``, ``:annealed=0.3-0.7`` or ``:q=0.5``: `GeneralizedRectifiedLoss` with an
              exponent that rises over the run (`LossSchedule` drives it) or stays;
            - ``dice``, ``dice_ce``, ``focal``, ``ce``, ``wce_rrw``;
            - ``dice:missing_labels``, ``dice:empty_labels``: `DiceLoss` for classes that are not annotated, or whose
              absence is to be learned (``PRESETS``);
            - ``dml``, ``jml``, with ``:version=2`` or not: `DiceSemimetricLoss`, `JaccardMetricLoss`; followed by
              ``+ce``, 0.75 of it and 0.25 of cross-entropy;
            - ``lovasz``, ``mbls``, ``wing``: `LovaszLoss`, `MarginCrossEntropyLoss`, `AdaptiveWingLoss`;
            - ``<map>+<dice|ce|dml|jml>:<equal|gradual>``, the map in any form of the first two: `ScheduledLoss`
              (gradual needs `LossSchedule`).
        spacing: voxel size along each spatial axis (mm), for maps computed from labels; a loss without a map ignores
            it.
        class_weights: one positive factor per class, for losses with a region-wise map.
        backend: implementation of the distance, see `regionwise.distance.normalized_distance`; a loss without a map
            ignores it.
        soft: the target is the probability of each class, (B, C, *spatial), or (B, C + 1, *spatial) with d̂ last.

    Raises:
        InputError: If there is no such loss (the message suggests the nearest), or class_weights are given for a loss
            without a map.

    Examples:
        >>> import torch
        >>> from regionwise.losses import make_loss
        >>> logits, labels = torch.zeros(2, 4, 8, 8), torch.zeros(2, 1, 8, 8)
        >>> round(make_loss("ce")(logits, labels).item(), 4)  # log 4
        1.3863
        >>> make_loss("rrw:q=0.5").q
        0.5
        >>> make_loss("rww")
        Traceback (most recent call last):
            ...
        regionwise.errors.InputError: Unknown loss 'rww'; did you mean 'rrw'? choices: ...
    """
    name = str(name)
    if name in _PLAIN:
        if class_weights is not None:
            raise InputError(f"Loss '{name}' has no region-wise map, so class_weights would do nothing: leave it out")
        return _PLAIN[name](soft=soft)
    if "+" in name:
        region_wise, partner, schedule = _parts(name)
        map_loss = _region_wise_loss(name, region_wise, spacing, class_weights, backend, soft)
        return ScheduledLoss(_PARTNERS[partner](soft=soft), map_loss, schedule)
    if name == "wce_rrw":
        return WeightedCrossEntropyLoss(spacing, class_weights, backend, soft)
    return _region_wise_loss(name, name, spacing, class_weights, backend, soft)


def _region_wise_loss(
    name: str,
    region_wise: str,
    spacing: Sequence[float] | None,
    class_weights: Sequence[float] | None,
    backend: str,
    soft: bool,
) -> LabelLoss:
    """Make the loss of ``<map>`` or ``<map>:<form>``; ``name`` is all that was given, for messages."""
    kind, colon, form = region_wise.partition(":")
    if kind not in KINDS or (colon and form.partition("=")[0] not in _FORMS):
        raise InputError(f"Unknown loss '{name}'; {did_you_mean(region_wise, [*SINGLE_NAMES, _COMBINATION])}")
    if not colon:
        return RegionWiseLoss(kind, "labels", spacing, class_weights, backend, soft)
    try:
        return GeneralizedRectifiedLoss(_exponents(form), kind, spacing, class_weights, backend, soft)
    except InputError as error:
        raise InputError(f"Loss '{name}': {error}") from None


def _exponents(form: str) -> Sequence[float]:
    """Read ``annealed``, ``annealed=<first>-<last>`` or ``q=<number>``."""
    word, equals, text = form.partition("=")
    if word == "annealed" and not equals:
        return ANNEALING
    numbers = text.split("-") if word == "annealed" else [text]
    try:
        values = [float(number) for number in numbers]
    except ValueError:
        values = []
    if len(values) != (2 if word == "annealed" else 1):
        raise InputError(
            f"expected {'two numbers, as in annealed=0.3-0.7' if word == 'annealed' else 'a number, as in q=0.5'}, "
            f"found '{form}'"
        )
    return values


def _parts(name: str) -> tuple[str, str, str]:
    """Split ``map+partner:schedule``; partner and schedule are checked."""
    region_wise, _, rest = name.partition("+")
    partner, _, schedule = rest.partition(":")
    for part, choices in ((region_wise.partition(":")[0], KINDS), (partner, _PARTNERS), (schedule, SCHEDULES)):
        if part not in choices:
            raise InputError(
                f"Loss '{name}' is not of the form {_COMBINATION}: '{part}'? {did_you_mean(part, choices)}"
            )
    return region_wise, partner, schedule
