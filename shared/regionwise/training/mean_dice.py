"""The metric that chooses the best epoch."""

from monai.handlers import IgniteMetricHandler, from_engine
from monai.metrics import DiceMetric


def mean_dice(num_classes: int) -> IgniteMetricHandler:
    """Return the mean Dice of a validation: over cases and structures, with 1 for a structure that is in neither mask.

    Args:
        num_classes: number of classes with the background, which does not count.
    """
    metric = DiceMetric(include_background=False, ignore_empty=False, num_classes=num_classes)
    return IgniteMetricHandler(metric_fn=metric, output_transform=from_engine(["pred", "label"]))
