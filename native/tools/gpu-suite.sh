#!/usr/bin/env bash
# What only a GPU can show, in one run: the whole native test suite on its driver, by six processes (drivers compile on one core each), single
# operations at 11B shapes, and a synthetic 11B checkpoint in bf16 and Q4_K_M (29 GB of disk), from prompt to tokens, greedy and drawn, with
# a picture and without, and where the time goes by kernel. Five minutes on an H200 with 16 cores, of which one makes the checkpoint. With a second
# build every operation is timed with both, by turns. Prints as it goes; a step that fails does not end it.
#
#   native/tools/gpu-suite.sh [BUILD_FOLDER = build] [SCRATCH_FOLDER = /tmp] [BUILD_FOLDER to compare with]
#
# LOUPE_DEVICE chooses the device. Nothing here needs a compiler or Node: a build from elsewhere will do. LOUPE_SUITE=demo takes shapes of
# the demo model and a checkpoint of six small layers, for a trial on a machine without a GPU: a minute.
set -uo pipefail
build=$(realpath "${1:-build}")
scratch=${2:-/tmp}/loupe-suite
other=${3:+$(realpath "$3")}
here=$(dirname "$(realpath "$0")")
fixtures=$here/../../fixtures
device=${LOUPE_DEVICE:-}
suite=${LOUPE_SUITE:-11b}
case $suite in
  11b) config=$fixtures/configs/llama-3.2-11b-vision-instruct.json depths=(0 4096) lengths=() ;;
  demo) config=$fixtures/reference/tiny/config.json depths=(0) lengths=(--prompt 64 --generate 16) ;;
  *) echo "gpu-suite: LOUPE_SUITE is 11b or demo, not $suite." >&2 && exit 2 ;;
esac
failed=0
step() { echo; echo "== $(date +%T) $*"; }
operations() { LOUPE_SHADERS=$1/shaders "$1/native/bench_ops" --shapes "$suite" --device "$device" "${@:2}" || failed=1; }
model() { LOUPE_SHADERS=$build/shaders "$build/native/bench_model" --device "$device" "${lengths[@]}" "$@" || failed=1; }

step "tests, and the synthetic checkpoint"
rm -rf "$scratch"
mkdir -p "$scratch"
(time "$build/native/synthesize" --config "$config" --out "$scratch/model" --shards-of 5000000000 --quant Q4_K_M --threads "$(nproc)") \
  >"$scratch/synthesize.txt" 2>&1 &
synthesis=$!
processes=6
for ((i = 0; i < processes; ++i)); do
  GTEST_TOTAL_SHARDS=$processes GTEST_SHARD_INDEX=$i LOUPE_SHADERS=$build/shaders LOUPE_FIXTURES=$fixtures "$build/native/loupe_tests" \
    --gtest_brief=1 >"$scratch/tests-$i.txt" 2>&1 &
  tests[i]=$!
done
for ((i = 0; i < processes; ++i)); do
  wait "${tests[i]}" || failed=1
  cat "$scratch/tests-$i.txt"
done
wait $synthesis || failed=1
cat "$scratch/synthesize.txt"

for activations in f32 f16; do
  for weights in BF16 Q4_K; do
    step "operations at $suite shapes, $weights, $activations"
    operations "$build" --weights $weights --activations $activations
    [ -z "$other" ] || { step "the same, $other" && operations "$other" --weights $weights --activations $activations; }
  done
done

for checkpoint in "$scratch/model/Llama-synthetic-Q4_K_M.gguf" "$scratch/model"; do
  for depth in "${depths[@]}"; do
    step "$(basename "$checkpoint"), depth $depth"
    model --model "$checkpoint" --depth "$depth"
  done
  step "$(basename "$checkpoint"), by kernel"
  model --model "$checkpoint" --profile 1
done
rm -rf "$scratch"
exit $failed
