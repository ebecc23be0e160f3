"""Vectors of words, taken from a model of sentences. README.md says from which.

    python3 distil.py MODEL.onnx vocabulary.txt vectors.bin

Needs numpy and onnxruntime. Takes half a minute of one core.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime

DIMENSIONS = 128
BATCH = 512
FIRST, LAST = 101, 102
"""The tokens that the model expects around a sentence."""


def main(model: str, vocabulary: str, result: str) -> None:
    session = onnxruntime.InferenceSession(model)
    count = len(Path(vocabulary).read_text(encoding="utf8").splitlines())
    vectors = np.zeros((count, 384), np.float32)
    for start in range(0, count, BATCH):
        ids = np.array([[FIRST, token, LAST] for token in range(start, min(start + BATCH, count))], np.int64)
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        vectors[start : start + len(ids)] = session.run(None, feeds)[0].mean(axis=1)
    # What all of them share says nothing; of the rest, the directions in which they differ most.
    vectors -= vectors.mean(axis=0)
    _, directions = np.linalg.eigh(vectors.T @ vectors)
    reduced = vectors @ directions[:, ::-1][:, :DIMENSIONS]
    # Some lie far out. Cosines need no scale.
    scale = 127 / np.quantile(np.abs(reduced), 0.9999)
    np.clip(np.round(reduced * scale), -127, 127).astype(np.int8).tofile(result)


if __name__ == "__main__":
    main(*sys.argv[1:4])
