"""Mean of two networks' weights: ``python -m training.masks.mean OLD NEW --to FILE``.

What was trained further on one thing alone knows it better and the rest a little worse; the mean keeps both
(Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper


def mean_of(old: onnx.ModelProto, new: onnx.ModelProto, share: float = 0.5) -> onnx.ModelProto:
    """``new`` with weights (1 - share) old + share new. ValueError if the networks differ in more than weights."""
    weights = {one.name: numpy_helper.to_array(one) for one in old.graph.initializer}
    mean = onnx.ModelProto()
    mean.CopyFrom(new)
    if {one.name for one in mean.graph.initializer} != weights.keys():
        raise ValueError("the networks have different layers: both must be exports of one checkpoint's training")
    for one in mean.graph.initializer:
        theirs, ours = numpy_helper.to_array(one), weights[one.name]
        if theirs.dtype.kind == "f":
            between = (1 - share) * ours.astype(np.float64) + share * theirs.astype(np.float64)
            one.CopyFrom(numpy_helper.from_array(between.astype(theirs.dtype), one.name))
    return mean


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.masks.mean", description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.5, help="of the new network, 0..1")
    args = parser.parse_args()
    onnx.save(mean_of(onnx.load(args.old), onnx.load(args.new), args.share), args.to)


if __name__ == "__main__":
    main()
