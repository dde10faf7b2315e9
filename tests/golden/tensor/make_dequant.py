"""Writes dequant.bin beside this file: random blocks of each quantised type and the
values that the gguf Python package (0.19, MIT) reads from them.

    python3 -m pip install gguf numpy && python3 make_dequant.py

Record: u32 type, u32 bytes of blocks, u32 number of values, blocks, f32 values.
"""
import os
import struct

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf.quants import dequantize

# type -> (columns of a block, bytes of a block, offsets of its half floats)
TYPES = {
    T.Q4_0: (32, 18, [0]),
    T.Q4_1: (32, 20, [0, 2]),
    T.Q5_0: (32, 22, [0]),
    T.Q5_1: (32, 24, [0, 2]),
    T.Q8_0: (32, 34, [0]),
    T.Q4_K: (256, 144, [0, 2]),
    T.Q5_K: (256, 176, [0, 2]),
    T.Q6_K: (256, 210, [208]),
}
COLUMNS = 512

rng = np.random.default_rng(20261123)
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dequant.bin")
with open(path, "wb") as out:
    for kind, (block, size, halves) in TYPES.items():
        n = COLUMNS // block
        blocks = rng.integers(0, 256, (n, size), dtype=np.uint8)
        for at in halves:
            scale = rng.normal(0, 0.01, n).astype(np.float16)
            blocks[:, at : at + 2] = scale.view(np.uint8).reshape(n, 2)
        values = dequantize(blocks.reshape(-1), kind).astype("<f4").reshape(-1)
        out.write(struct.pack("<III", int(kind), blocks.size, values.size))
        out.write(blocks.tobytes())
        out.write(values.tobytes())
