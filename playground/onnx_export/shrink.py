"""Smaller weights: half precision, 8 bits, 4 bits; and what each costs."""

import logging
from pathlib import Path

import onnx

PRECISIONS = {
    "fp32": "32-bit floats, as trained",
    "fp16": "16-bit floats: half the size, for GPUs and browsers",
    "int8": "8-bit weights, blocks of 64 share a scale; products in 8 bits",
    "int4": "4-bit weights, blocks of 64 share a scale",
}
BLOCK = 64  # of 32, 64 and 128 the fastest on a CPU


def shrink(model: onnx.ModelProto, precision: str) -> onnx.ModelProto:
    """The model with its matrices in fewer bits; the rest stays as it is.

    Args:
        model: with constant matrices at its MatMul nodes.
        precision: a key of PRECISIONS.
    """
    if precision == "fp32":
        return model
    if precision == "fp16":
        from onnxruntime.transformers.float16 import convert_float_to_float16

        return convert_float_to_float16(model, keep_io_types=True, disable_shape_infer=True)
    logging.getLogger("onnxruntime.quantization").setLevel(logging.WARNING)  # it tells of every node
    from onnxruntime.quantization.matmul_nbits_quantizer import (
        DefaultWeightOnlyQuantConfig,
        MatMulNBitsQuantizer,
    )

    bits = {"int8": 8, "int4": 4}[precision]
    config = DefaultWeightOnlyQuantConfig(block_size=BLOCK, is_symmetric=True, accuracy_level=4, bits=bits)
    quantizer = MatMulNBitsQuantizer(model, algo_config=config)
    quantizer.process()
    return quantizer.model.model


def save(model: onnx.ModelProto, path: Path) -> int:
    """Writes it; its size in bytes."""
    path.write_bytes(model.SerializeToString())
    return path.stat().st_size
