# SPDX-License-Identifier: Apache-2.0
"""Writes ``model.onnx``: one Resize that repeats pixels, its factor an input. Needs the package ``onnx``.

Run ``python make_model.py`` and then ``understudy packs pin .`` when it is changed.
"""

from pathlib import Path

import onnx
from onnx import TensorProto, helper


def build() -> onnx.ModelProto:
    """``image`` (1, 3, h, w) and ``scale`` (1,) to ``image_out`` (1, 3, h * scale, w * scale)."""
    keep = helper.make_tensor("keep", TensorProto.FLOAT, [2], [1.0, 1.0])  # batch and channels stay
    nodes = [
        helper.make_node("Concat", ["keep", "scale", "scale"], ["scales"], axis=0),
        helper.make_node(
            "Resize",
            ["image", "", "scales"],
            ["image_out"],
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "repeat",
        [
            helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "height", "width"]),
            helper.make_tensor_value_info("scale", TensorProto.FLOAT, [1]),
        ],
        [helper.make_tensor_value_info("image_out", TensorProto.FLOAT, [1, 3, "out_height", "out_width"])],
        [keep],
    )
    # IR 8 with operator set 13: old enough for every ONNX Runtime that understudy accepts.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="understudy")
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    Path(__file__).with_name("model.onnx").write_bytes(build().SerializeToString(deterministic=True))
