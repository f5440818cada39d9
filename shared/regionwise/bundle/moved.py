"""Old names of ids and import paths, and their replacements."""

# Import paths, as ``_target_`` names them.
MOVED_TARGETS = {
    "regionwise.data.datalist": "regionwise.datasets.datalist",
    "regionwise.data.save.SaveLabelsd": "regionwise.inference.SaveLabelsd",
    "regionwise.data.save.SaveProbabilitiesd": "regionwise.inference.SaveProbabilitiesd",
    "regionwise.data.scans.scans": "regionwise.inference.scans",
    "regionwise.flags.is_on": "regionwise.bundle.is_on, or nothing: what takes a switch reads true and false itself",
}

# Ids that users set.
MOVED_IDS = {
    "amp_dtype": "--train#trainer#amp_kwargs#dtype '$torch.bfloat16'",
    "compile": "--train#trainer#compile True",
    "dataset_name": "the name stands in train#datalist, or in data",
    "in_channels": "--network_def#in_channels",
    "labelled_slices_only": "--train#dataset#labeled_slices_only",
    "map": "--distance precomputed (was volume) or on_the_fly (was batch)",
    "mirror": "--tta",
    "plan": "values in place; the other dimensions are an overlay, configs/spatial_3d.json or spatial_2d.json",
    "plans": "values in place; the other dimensions are an overlay, configs/spatial_3d.json or spatial_2d.json",
    "rank": "torchrun and configs/multi_gpu_train.json",
    "spatial_dims": "it is the number of --patch_size's axes; see configs/spatial_3d.json or spatial_2d.json",
    "subset": "--train#datalist#subset, in evaluate.json --data#subset",
    "train#dataset#labelled_slices_only": "--train#dataset#labeled_slices_only",
    "world_size": "torchrun and configs/multi_gpu_train.json",
}
