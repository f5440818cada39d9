"""Losses by name, as the configurations and the command line give them."""

from collections.abc import Sequence

from ..errors import InputError, did_you_mean
from ..maps import KINDS, RECTIFIED_KINDS
from .base import LabelLoss
from .dice import DiceCELoss, DiceLoss
from .generalized import ANNEALING, GeneralizedRectifiedLoss
from .pixelwise import CrossEntropyLoss, FocalLoss, WeightedCrossEntropyLoss
from .region_wise import RegionWiseLoss
from .schedules import SCHEDULES, ScheduledLoss

_PLAIN = {"dice": DiceLoss, "dice_ce": DiceCELoss, "focal": FocalLoss, "ce": CrossEntropyLoss}
_PARTNERS = {"dice": DiceLoss, "ce": CrossEntropyLoss}
_COMBINATION = f"<map>+<{'|'.join(_PARTNERS)}>:<{'|'.join(SCHEDULES)}>"
_FORMS = ("annealed", "q")

ANNEALED_NAMES = tuple(f"{kind}:annealed" for kind in RECTIFIED_KINDS)
SINGLE_NAMES = (*KINDS, *ANNEALED_NAMES, "rrw:q=0.5", *_PLAIN, "wce_rrw")
LOSS_NAMES = (
    *SINGLE_NAMES,
    *(f"{kind}+{partner}:{schedule}" for kind in KINDS for partner in _PARTNERS for schedule in SCHEDULES),
)


def make_loss(
    name: str,
    spacing: Sequence[float] | None = None,
    class_weights: Sequence[float] | None = None,
    backend: str = "auto",
) -> LabelLoss:
    """Make a loss of logits (B, C, *spatial) against labels (B, 1, *spatial), or labels and d̂ (B, 2, *spatial).

    All take both targets, 2-D or 3-D; those that do not use d̂ ignore it.

    Args:
        name: one of

            - a region-wise map (``rrw``, ``boundary``, ...): `RegionWiseLoss`;
            - a rectified map and ``:annealed``, ``:annealed=0.3-0.7`` or ``:q=0.5``: `GeneralizedRectifiedLoss` with an
              exponent that rises over the run (`LossSchedule` drives it) or stays;
            - ``dice``, ``dice_ce``, ``focal``, ``ce``, ``wce_rrw``;
            - ``<map>+<dice|ce>:<equal|gradual>``, the map in any form of the first two: `ScheduledLoss` (gradual needs
              `LossSchedule`).
        spacing: voxel size along each spatial axis (mm), for maps computed from labels; a loss without a map ignores
            it.
        class_weights: one positive factor per class, for losses with a region-wise map.
        backend: implementation of the distance, see `regionwise.distance.normalized_distance`; a loss without a map
            ignores it.

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
    if "+" in name:
        region_wise, partner, schedule = _parts(name)
        return ScheduledLoss(
            _PARTNERS[partner](), _region_wise_loss(name, region_wise, spacing, class_weights, backend), schedule
        )
    if name in _PLAIN:
        if class_weights is not None:
            raise InputError(f"Loss '{name}' has no region-wise map, so class_weights would do nothing: leave it out")
        return _PLAIN[name]()
    if name == "wce_rrw":
        return WeightedCrossEntropyLoss(spacing, class_weights, backend)
    return _region_wise_loss(name, name, spacing, class_weights, backend)


def _region_wise_loss(
    name: str, region_wise: str, spacing: Sequence[float] | None, class_weights: Sequence[float] | None, backend: str
) -> LabelLoss:
    """Make the loss of ``<map>`` or ``<map>:<form>``; ``name`` is all that was given, for messages."""
    kind, colon, form = region_wise.partition(":")
    if kind not in KINDS or (colon and form.partition("=")[0] not in _FORMS):
        raise InputError(f"Unknown loss '{name}'; {did_you_mean(region_wise, [*SINGLE_NAMES, _COMBINATION])}")
    if not colon:
        return RegionWiseLoss(kind, "labels", spacing, class_weights, backend)
    try:
        return GeneralizedRectifiedLoss(_exponents(form), kind, spacing, class_weights, backend)
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
