#!/usr/bin/env bash
# What only a GPU can show, in one run: the whole native test suite on its driver, single operations at 11B
# shapes, and a synthetic 11B checkpoint (21 GB of disk) from prompt to tokens. Prints as it goes.
#
#   native/tools/gpu-suite.sh [BUILD_FOLDER = build] [SCRATCH_FOLDER = /tmp]
#
# LOUPE_DEVICE chooses the device. Nothing here needs a compiler or Node: a build from elsewhere will do.
set -uo pipefail
build=$(realpath "${1:-build}")
scratch=${2:-/tmp}/loupe-11b
here=$(dirname "$(realpath "$0")")
fixtures=$here/../../fixtures
device=${LOUPE_DEVICE:-}
export LOUPE_SHADERS=$build/shaders LOUPE_FIXTURES=$fixtures
failed=0
step() { echo; echo "== $*"; }

step "tests"
"$build/native/loupe_tests" --gtest_brief=1 || failed=1

for activations in f32 f16; do
  step "operations at 11B shapes, $activations"
  "$build/native/bench_ops" --shapes 11b --device "$device" --activations "$activations" || failed=1
done

step "synthetic 11B checkpoint"
rm -rf "$scratch"
time "$build/native/synthesize" --config "$fixtures/configs/llama-3.2-11b-vision-instruct.json" --out "$scratch" \
  --shards-of 5000000000 --threads "$(nproc)" || failed=1
for depth in 0 4096; do
  step "11B, bf16, depth $depth"
  "$build/native/bench_model" --model "$scratch" --device "$device" --depth "$depth" || failed=1
done
rm -rf "$scratch"
exit $failed
