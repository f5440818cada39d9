"""Losses by name, as the configurations and the command line give them."""

from collections.abc import Sequence

from ..errors import InputError, did_you_mean
from ..maps import KINDS
from .base import LabelLoss
from .dice import DiceCELoss, DiceLoss
from .pixelwise import CrossEntropyLoss, FocalLoss, WeightedCrossEntropyLoss
from .region_wise import RegionWiseLoss
from .schedules import SCHEDULES, ScheduledLoss

_PLAIN = {"dice": DiceLoss, "dice_ce": DiceCELoss, "focal": FocalLoss, "ce": CrossEntropyLoss}
_PARTNERS = {"dice": DiceLoss, "ce": CrossEntropyLoss}
_COMBINATION = f"<map>+<{'|'.join(_PARTNERS)}>:<{'|'.join(SCHEDULES)}>"

SINGLE_NAMES = (*KINDS, *_PLAIN, "wce_rrw")
LOSS_NAMES = (
    *SINGLE_NAMES,
    *(f"{kind}+{partner}:{schedule}" for kind in KINDS for partner in _PARTNERS for schedule in SCHEDULES),
)


def make_loss(
    name: str,
    spacing: Sequence[float] | None = None,
    class_weights: Sequence[float] | None = None,
    method: str = "auto",
) -> LabelLoss:
    """Return a loss of logits (B, C, *spatial) against labels (B, 1, *spatial) or labels and d̂ (B, 2, *spatial).

    All take both targets, 2-D or 3-D; those that do not use d̂ ignore it.

    Args:
        name: a region-wise map (``rrw``, ``boundary``, ...: `RegionWiseLoss`), ``dice``, ``dice_ce``, ``focal``,
            ``ce``, ``wce_rrw``, or ``<map>+<dice|ce>:<equal|gradual>`` (`ScheduledLoss`; gradual needs `LossSchedule`).
        spacing: voxel size along each spatial axis, for maps made from labels; a loss without a map has no use for it.
        class_weights: emphasis of the region-wise map, one positive factor per class.
        method: how distances are computed; a loss without a map has no use for it.

    Raises:
        InputError: there is no such loss (the message suggests the nearest), or class_weights for one without a map.
    """
    if "+" in str(name):
        kind, partner, schedule = _parts(name)
        return ScheduledLoss(
            _PARTNERS[partner](), RegionWiseLoss(kind, "labels", spacing, class_weights, method), schedule
        )
    if name in KINDS:
        return RegionWiseLoss(name, "labels", spacing, class_weights, method)
    if name == "wce_rrw":
        return WeightedCrossEntropyLoss(spacing, class_weights, method)
    if name not in _PLAIN:
        raise InputError(f"there is no loss '{name}'; {did_you_mean(name, [*SINGLE_NAMES, _COMBINATION])}")
    if class_weights is not None:
        raise InputError(f"loss '{name}' has no region-wise map, so class_weights would do nothing: leave it out")
    return _PLAIN[name]()


def needs_distance(name: str) -> bool:
    """Return whether d̂ in the target saves a loss from computing it: the losses with an RRW map.

    Raises:
        InputError: there is no such loss.
    """
    make_loss(name)
    return name.split("+")[0] in ("rrw", "wce_rrw")


def _parts(name: str) -> tuple[str, str, str]:
    """Split ``map+partner:schedule``, each part checked."""
    kind, _, rest = name.partition("+")
    partner, _, schedule = rest.partition(":")
    for part, choices in ((kind, KINDS), (partner, _PARTNERS), (schedule, SCHEDULES)):
        if part not in choices:
            raise InputError(
                f"loss '{name}' is not of the form {_COMBINATION}: '{part}'? {did_you_mean(part, choices)}"
            )
    return kind, partner, schedule
