#!/usr/bin/env bash
# From nothing to an evaluated model: environment, data, training, evaluation, inference.
# Usage: scripts/quickstart.sh [--dataset acdc|brats|kits|hippocampus] [--data DIR] [--out DIR]
# Without --data a synthetic dataset in the real one's layout is written first.
set -euo pipefail
cd "$(dirname "$0")/.."
usage="scripts/quickstart.sh [--dataset acdc|brats|kits|hippocampus] [--data DIR] [--out DIR]"
dataset=acdc data="" out=""
fail() { echo "error: $1" >&2; exit 1; }
while [ $# -gt 0 ]; do
    case "$1" in
        --help) echo "usage: $usage"; exit 0 ;;
        --dataset | --data | --out) ;;
        *) fail "Unknown option $1; usage: $usage" ;;
    esac
    case "${2:-}" in "" | --*) fail "Option $1 needs a value; usage: $usage" ;; esac
    declare "${1#--}=$2"
    shift 2
done
# Settings for two CPU cores and synthetic scans, found on the hippocampus; the bundles' own defaults are the paper's, for
# a GPU. Patches are small, since sliding windows take most of the time of an evaluation.
short="--loss rrw:annealed+dice:equal --learning_rate 0.004 --train#augmentation#frequency 0.5 --num_workers 1"
short="$short --filters [16,32,64,128] --kernel_size [3,3,3,3] --upsampling [2,2,2] --val_interval 3"
case "$dataset" in
    acdc) phantom="acdc --subjects 32"
        settings="$short --patch_size [128,128] --batch_size 8 --epochs 6 --iterations_per_epoch 160"
        settings="$settings --foreground_fraction 0.5" ;;
    brats) phantom="brats --subjects 16 --size 120"
        settings="$short --patch_size [120,120] --batch_size 8 --epochs 6 --iterations_per_epoch 100" ;;
    kits) phantom="kits --subjects 24 --size 256"
        settings="$short --patch_size [128,128] --batch_size 8 --epochs 9 --iterations_per_epoch 220"
        # Tumors are small: a network that sees no slice without labels, or too many tumors, finds them everywhere.
        settings="$settings --train#dataset#labeled_slices_only false --foreground_fraction 0.15" ;;
    hippocampus) phantom="msd --subjects 24" settings="--num_workers 1"
        # The released length is for real scans.
        [ -n "$data" ] || settings="$settings --epochs 8" ;;
    *) fail "Unknown dataset '$dataset'; choices: acdc, brats, kits, hippocampus" ;;
esac
[ -z "$data" ] || [ -d "$data" ] || fail "Expected a folder with the dataset at $data, not found"
out="${out:-quickstart/$dataset}"
bundle="bundles/${dataset}_rrw/configs"

. scripts/environment.sh
# MONAI's runner warns of what a bundle needs not have.
export PYTHONWARNINGS="${PYTHONWARNINGS:-ignore::UserWarning:monai.bundle.scripts}"
run() { echo; echo "$ $*"; "$@"; }
started=$SECONDS
if [ -z "$data" ]; then
    data="$out/data"
    # shellcheck disable=SC2086  # the settings are several words, here and below
    [ -d "$data" ] || run python -m regionwise phantom --dataset $phantom --out "$data"
fi
# shellcheck disable=SC2086
run python -m monai.bundle run training --config_file "$bundle/train.json" --dataset_dir "$data" \
    --output_dir "$out/model" --cache_dir "$out/cache" $settings
trained=(--checkpoint "$out/model/model.pt" --args_file "$out/model/network.json")
run python -m monai.bundle run evaluating --config_file "$bundle/evaluate.json" --dataset_dir "$data" \
    --output_dir "$out/evaluation" "${trained[@]}"
case "$dataset" in
    brats) scan="$(find "$data" -name '*_t2.nii.gz' | sort | head -n 1)" ;;
    kits) scan="$(find "$data" -name imaging.nii.gz | sort | head -n 1)" ;;
    acdc) scan="$(find "$data" -name 'patient*_frame??.nii.gz' | sort | head -n 1)" ;;
    hippocampus) scan="$(find "$data/imagesTr" -name '[!.]*.nii.gz' | sort | head -n 1)" ;;
esac
run python -m monai.bundle run --config_file "$bundle/inference.json" --input "$scan" --output_dir "$out/inference" \
    "${trained[@]}" --overwrite true

echo
echo "done in $((SECONDS - started)) s after installation"
echo "table       $out/evaluation/cases.csv, summary.json"
echo "report      $out/evaluation/report.html"
echo "weights     $out/model/model.pt (curves: tensorboard --logdir $out/model)"
echo "prediction  $out/inference/"
