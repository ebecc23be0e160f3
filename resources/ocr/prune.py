"""Makes the files of this folder from those of the rapidocr wheel.

    pip download --no-deps rapidocr==3.10.0 && unzip rapidocr-*.whl 'rapidocr/models/*'
    pip install onnx numpy && python3 prune.py rapidocr/models .

The detector is copied. The recogniser knows 18,710 characters, most of them Chinese; its last layer is cut to Latin, Greek and
the signs that screens show, which takes 9 MB and an eighth of its time and changes no score of the others but for the share that the
dropped ones had of the probability.
"""

import pathlib
import shutil
import sys

import numpy as np
import onnx
from onnx import numpy_helper

SIGNS = "→←↑↓✓✗☐☑☒■□●○◦•′″≤≥≠±×÷√∞≈∑∏∫°µΩ⌘⌥⇧"
# Latin, Greek, Latin with two marks, punctuation and letter-like signs, currencies.
RANGES = [(0x21, 0x250), (0x370, 0x400), (0x1E00, 0x1F00), (0x2010, 0x2123), (0x20A0, 0x20C0)]


def is_kept(character: str) -> bool:
    return len(character) == 1 and (character in SIGNS or any(first <= ord(character) < end for first, end in RANGES))


def main() -> None:
    source, target = map(pathlib.Path, sys.argv[1:3])
    shutil.copyfile(source / "PP-OCRv6_det_small.onnx", target / "detector.onnx")
    model = onnx.load(source / "PP-OCRv6_rec_small.onnx")
    characters = next(entry.value for entry in model.metadata_props if entry.key == "character").split("\n")
    # Class 0 is the blank, the last one the space.
    classes = len(characters) + 2
    kept = [0, *(index + 1 for index, character in enumerate(characters) if is_kept(character)), classes - 1]
    cut = 0
    for initializer in model.graph.initializer:
        if classes in initializer.dims:
            values = numpy_helper.to_array(initializer)
            values = np.take(values, kept, axis=values.shape.index(classes))
            initializer.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), initializer.name))
            cut += 1
    if cut != 2:
        raise SystemExit(f"{cut} tensors have {classes} classes; a weight and a bias were expected.")
    for value in [*model.graph.output, *model.graph.value_info]:
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_value == classes:
                dimension.dim_value = len(kept)
    del model.metadata_props[:]
    onnx.save(model, target / "recogniser.onnx")
    names = [characters[index - 1] for index in kept[1:-1]]
    (target / "characters.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    print(f"{classes} -> {len(kept)} classes")


main()
