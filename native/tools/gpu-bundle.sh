#!/usr/bin/env bash
# Packs what a machine with a GPU needs that has no compiler, no Node and no network: the tests and benchmarks (gpu-suite.sh) as built here,
# what they read, and the training of the demo model (training/README.md, "On a GPU"). About 40 MB. Build first: `npm test` builds all but
# the tools, which this asks ninja or make for.
#
#   native/tools/gpu-bundle.sh OUT.tar.xz
#
# There: tar xJf OUT.tar.xz && cd loupe-gpu && native/tools/gpu-suite.sh build /tmp
#        export LOUPE_TRAINING_FILES=$PWD/training-files; cd training && python grow.py ../resources/demo-model /tmp/start ...
# It needs glibc 2.36 or later, a Vulkan loader, and for the training PyTorch 2.11 with NumPy, Pillow, safetensors and tokenizers.
set -euo pipefail
out=$(realpath "$1")
cd "$(dirname "$(realpath "$0")")/../.."
programs=(loupe_tests bench_ops bench_model synthesize)
cmake --build build/native --target "${programs[@]}" loupe_shaders
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
bundle=$folder/loupe-gpu
mkdir -p "$bundle/build/native" "$bundle/build/shaders"
for program in "${programs[@]}"; do strip -o "$bundle/build/native/$program" "build/native/$program"; done
cp build/shaders/*.spv "$bundle/build/shaders"
git ls-files -z native/tools/gpu-suite.sh fixtures/configs fixtures/reference fixtures/tiles fixtures/resize training resources/demo-model |
  xargs -0 cp --parents -t "$bundle"
(cd training && "${PYTHON:-python3}" fonts.py "$bundle/training-files")
tar cf - -C "$folder" loupe-gpu | xz -T0 "-${LEVEL:-6}" >"$out.partial"
mv "$out.partial" "$out"
ls -l "$out"
