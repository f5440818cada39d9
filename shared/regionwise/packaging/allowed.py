"""Allowlist of what a bundle may name: components, functions, values and files known to be harmless.

Everything else is listed by `regionwise.packaging.verify`. The lists hold names, not packages: much of MONAI and
torch runs commands, unpickles files or looks up code by a name in its arguments.
"""

import builtins
import re
from functools import cache
from importlib import import_module


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Subpackage to components. None of them unpickles, downloads, starts a program, or, with `READERS` and `WRITERS` as
# they are, imports by a name that it is given. Those that call a function get it from a configuration that was checked.
COMPONENTS = {
    "monai.networks.nets": """AttentionUnet BasicUNet BasicUNetPlusPlus DynUNet HighResNet SegResNet SegResNetDS
        SwinUNETR UNETR UNet VNet""",
    "monai.transforms": """Activationsd AsDiscreted BorderPadd CastToTyped CenterSpatialCropd ClipIntensityPercentilesd
        Compose ConcatItemsd ConvertToMultiChannelBasedOnBratsClassesd CopyItemsd CropForegroundd DeleteItemsd
        DivisiblePadd EnsureChannelFirstd EnsureTyped FillHolesd Flipd Identityd Invertd KeepLargestConnectedComponentd
        LabelToContourd LoadImaged MaskIntensityd MeanEnsembled NormalizeIntensityd Orientationd Rand2DElasticd
        Rand3DElasticd RandAdjustContrastd RandAffined RandAxisFlipd RandBiasFieldd RandCropByLabelClassesd
        RandCropByPosNegLabeld RandFlipd RandGaussianNoised RandGaussianSmoothd RandRotate90d RandRotated
        RandScaleIntensityd RandShiftIntensityd RandSpatialCropd RandZoomd RemoveSmallObjectsd ResampleToMatchd Resized
        Rotate90d SaveImaged ScaleIntensityRangePercentilesd ScaleIntensityRanged ScaleIntensityd SelectItemsd
        SignalFillEmptyd Spacingd SpatialCropd SpatialPadd SplitDimd SqueezeDimd ThresholdIntensityd ToTensord
        Transposed VoteEnsembled""",
    "monai.data": "CacheDataset DataLoader Dataset DistributedSampler",
    "monai.inferers": "SimpleInferer SliceInferer SlidingWindowInferer",
    "monai.engines": "EnsembleEvaluator SupervisedEvaluator SupervisedTrainer",
    "monai.handlers": """CheckpointLoader ConfusionMatrix EarlyStopHandler HausdorffDistance IgniteMetricHandler
        LrScheduleHandler MeanDice MeanIoUHandler StatsHandler SurfaceDistance TensorBoardStatsHandler
        ValidationHandler""",
    "monai.losses": """DeepSupervisionLoss DiceCELoss DiceFocalLoss DiceLoss FocalLoss GeneralizedDiceFocalLoss
        GeneralizedDiceLoss HausdorffDTLoss TverskyLoss""",
    "monai.metrics": """ConfusionMatrixMetric DiceMetric GeneralizedDiceScore HausdorffDistanceMetric MeanIoU
        SurfaceDiceMetric SurfaceDistanceMetric""",
    "torch": "device",
    "torch.nn": "BCEWithLogitsLoss CrossEntropyLoss Identity MSELoss Sigmoid Softmax",
    "torch.nn.parallel": "DistributedDataParallel",
    "torch.optim": "Adagrad Adam AdamW NAdam RAdam RMSprop SGD",
    "torch.optim.lr_scheduler": """ConstantLR CosineAnnealingLR CosineAnnealingWarmRestarts ExponentialLR LinearLR
        MultiStepLR OneCycleLR PolynomialLR ReduceLROnPlateau StepLR""",
    "torch.utils.data": "ConcatDataset DataLoader RandomSampler SequentialSampler Subset",
    "regionwise.bids": "datalist labeled scans write_derivatives",
    "regionwise.bundle.packed": "PublishWeights require_own_code start_from",
    "regionwise.cascade": "CropToPriord",
    "regionwise.diagnostics": "GradientSigns",
    "regionwise.guard": "segment_scans",
    "regionwise.distributed": "local_device share_of start stop synchronized",
    "regionwise.metadata": "AddMetadatad FilmDynUNet categories_of past_metadata",
    "regionwise.modalities": """DropModalitiesd HemisDynUNet LoadModalitiesd PresenceDynUNet evaluate_subsets
        scans with_dropout""",
    "regionwise.fusion": "FuseRatersd",
    "regionwise.precision": "Precision PrecisionInferer",
    "regionwise.soft_labels": "CompleteBackgroundd SoftLabelsd soft_augmentation",
}
# Of these all that they export: they exist to be named in configurations.
OWN_SUBPACKAGES = ("bundle", "data", "datasets", "inference", "losses", "training")
# LoadImaged and SaveImaged import any other reader or writer by its dotted name, and call it with their arguments.
READERS = (None, "NibabelReader")
WRITERS = (None, "NibabelWriter")
MODES = ("default", "callable")
COMPONENT_KEYS = ("_target_", "_disabled_", "_requires_", "_desc_", "_mode_")

# Expressions. Names are those of MONAI's parser, Python, and `IMPORTS`.
IMPORTS = ("glob", "math", "monai", "numpy", "os", "sys", "torch")
CALLS = _names("""
    abs all any bool dict enumerate float int len list max min next range reversed round set sorted str sum
    tuple zip glob.glob os.path.abspath os.path.basename os.path.dirname os.path.exists os.path.isdir os.path.isfile
    os.path.join monai.handlers.from_engine torch.cuda.device_count torch.cuda.is_available torch.device
    torch.distributed.get_rank torch.distributed.get_world_size torch.distributed.is_available
    torch.distributed.is_initialized""")
DTYPES = _names("bfloat16 float16 float32 float64")
VALUES = frozenset(["sys.path", *(f"torch.{dtype}" for dtype in DTYPES)])
# Methods of references: of strings, dictionaries, networks, engines and checked scans.
METHODS = _names("endswith get items join keys lower parameters replace split startswith strip to upper values")
METHODS_WITHOUT_ARGUMENTS = _names("finish run")
ATTRIBUTES = _names("engine_amp network usable")  # of references to Precision, the averaged network, checked scans
TAKEN_NAMES = frozenset([*IMPORTS, "np", *dir(builtins)])

# Files. What stands in regionwise/ is compared with the installed package instead.
FILES = re.compile(
    r"LICENSE|[A-Za-z]\w*_v[\w.+-]+\.sha256|configs/[\w-]+\.json|configs/logging\.conf|models/model\.pt"
    r"|docs/[\w./ -]+\.(md|txt|png|jpg|jpeg|gif)"
)


@cache
def components() -> frozenset[str]:
    """Return the dotted names of all components that a bundle may name.

    Examples:
        >>> "monai.transforms.Spacingd" in components(), "monai.utils.run_cmd" in components()
        (True, False)
    """
    names = {f"{module}.{name}" for module, text in COMPONENTS.items() for name in text.split()}
    for subpackage in OWN_SUBPACKAGES:
        module = f"regionwise.{subpackage}"
        names |= {f"{module}.{name}" for name in import_module(module).__all__}
    return frozenset(names)


@cache
def bare_names() -> frozenset[str]:
    """Return the names of components that MONAI finds without their module."""
    return frozenset(name.rpartition(".")[2] for name in components() if name.startswith("monai."))
