#!/usr/bin/env bash
# From nothing to a judged model: environment, data, training, inference, evaluation.
# Usage: scripts/quickstart.sh [--dataset acdc|brats|kits|hippocampus] [--data DIR] [--out DIR]
# Without --data a synthetic dataset in the real one's layout is written first.
set -euo pipefail
cd "$(dirname "$0")/.."
dataset=acdc data="" out=""
fail() { echo "error: $1" >&2; exit 1; }
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || fail "$1 needs a value; options: --dataset acdc|brats|kits|hippocampus, --data DIR, --out DIR"
    case "$1" in
        --dataset) dataset="$2" ;;
        --data) data="$2" ;;
        --out) out="$2" ;;
        *) fail "there is no option $1; options: --dataset acdc|brats|kits|hippocampus, --data DIR, --out DIR" ;;
    esac
    shift 2
done
# Settings for two CPU cores and small synthetic scans; the bundles' own defaults are the paper's, for a GPU.
network='--filters [16,32,64,128] --kernel_size [3,3,3,3] --upsampling [2,2,2]'
case "$dataset" in
    acdc) reader=acdc subjects=16 settings="$network --patch_size [96,96] --batch_size 8 --learning_rate 0.003 --epochs 8" ;;
    brats) reader=brats subjects=16 settings="$network --patch_size [96,96] --batch_size 8 --learning_rate 0.003 --epochs 8" ;;
    kits) reader=kits subjects=16 settings="$network --patch_size [256,256] --batch_size 2 --learning_rate 0.003 --epochs 8" ;;
    hippocampus) reader=msd subjects=16 settings="" ;;
    *) fail "there is no dataset $dataset; choices: acdc, brats, kits, hippocampus" ;;
esac
[ "$dataset" = hippocampus ] || settings="$settings --iterations_per_epoch 75"
[ -z "$data" ] || [ -d "$data" ] || fail "expected a folder with the dataset at $data, found none"
out="${out:-quickstart/$dataset}"
bundle="bundles/${dataset}_rrw"

. scripts/environment.sh
export PYTHONWARNINGS=ignore::UserWarning:monai.bundle.scripts
started=$SECONDS
if [ -z "$data" ]; then
    data="$out/data"
    [ -d "$data" ] || python -m regionwise phantom --dataset "$reader" --out "$data" --subjects "$subjects" --seed 0
fi
run() { echo; echo "$ python -m monai.bundle run $*"; python -m monai.bundle run "$@"; }
# shellcheck disable=SC2086  # the settings are several words
run training --config_file "$bundle/configs/train.json" --dataset_dir "$data" --output_dir "$out/model" \
    --cache_dir "$out/cache" --num_workers 1 $settings
run evaluating --config_file "$bundle/configs/evaluate.json" --dataset_dir "$data" --output_dir "$out/evaluation" \
    --checkpoint "$out/model/model.pt" --args_file "$out/model/network.json"
case "$dataset" in
    brats) scan="$(find "$data" -name '*_t2.nii.gz' | sort | head -n 1)" ;;
    kits) scan="$(find "$data" -name imaging.nii.gz | sort | head -n 1)" ;;
    acdc) scan="$(find "$data" -name 'patient*_frame??.nii.gz' | sort | head -n 1)" ;;
    hippocampus) scan="$(find "$data/imagesTr" -name '[!.]*.nii.gz' | sort | head -n 1)" ;;
esac
run --config_file "$bundle/configs/inference.json" --input "$scan" --output_dir "$out/inference" \
    --checkpoint "$out/model/model.pt" --args_file "$out/model/network.json"

echo
echo "done in $((SECONDS - started)) s after installation"
echo "table       $out/evaluation/cases.csv, summary.json"
echo "report      $out/evaluation/report.html"
echo "weights     $out/model/model.pt (curves: tensorboard --logdir $out/model)"
echo "prediction  $out/inference/"
