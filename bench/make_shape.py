#!/usr/bin/env python3
"""A decoder of a given shape with random weights, as a GGUF file: speed does not care what
a model says.  The vocabulary is that of a model that is there.

    bench/make_shape.py VOCABULARY.gguf OUT.gguf [--layers N --width N --heads N --kv-heads N --ff N]

The default shape is Qwen2.5 1.5B's.  Weights are F16, rounded normal numbers; quantise with
llama-quantize.  Needs the packages gguf and numpy."""
import argparse
import sys

try:
    import numpy as np
    from gguf import GGUFReader, GGUFValueType, GGUFWriter
except ImportError as e:
    print(f"make_shape: {e}", file=sys.stderr)
    sys.exit(77)


def copy_vocabulary(reader, w):
    for key, field in reader.fields.items():
        if not key.startswith("tokenizer."):
            continue
        kind = field.types[0]
        if kind == GGUFValueType.ARRAY:
            if field.types[1] == GGUFValueType.STRING:
                w.add_array(key, [bytes(field.parts[i]).decode("utf-8", "replace") for i in field.data])
            else:
                w.add_array(key, [int(field.parts[i][0]) for i in field.data])
        elif kind == GGUFValueType.STRING:
            w.add_string(key, bytes(field.parts[field.data[0]]).decode())
        elif kind == GGUFValueType.BOOL:
            w.add_bool(key, bool(field.parts[field.data[0]][0]))
        else:
            w.add_uint32(key, int(field.parts[field.data[0]][0]))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("vocabulary")
    p.add_argument("out")
    for name, value in (("layers", 28), ("width", 1536), ("heads", 12), ("kv-heads", 2), ("ff", 8960)):
        p.add_argument("--" + name, type=int, default=value)
    a = p.parse_args()
    reader = GGUFReader(a.vocabulary)
    n_vocab = len(reader.fields["tokenizer.ggml.tokens"].data)
    w = GGUFWriter(a.out, "qwen2")
    w.add_name("random")
    w.add_file_type(1)
    w.add_block_count(a.layers)
    w.add_context_length(32768)
    w.add_embedding_length(a.width)
    w.add_feed_forward_length(a.ff)
    w.add_head_count(a.heads)
    w.add_head_count_kv(a.kv_heads)
    w.add_rope_freq_base(1e6)
    w.add_layer_norm_rms_eps(1e-6)
    copy_vocabulary(reader, w)
    rng = np.random.default_rng(1)
    kv = a.width // a.heads * a.kv_heads

    def matrix(name, rows, cols):
        w.add_tensor(name, (rng.standard_normal((rows, cols), dtype=np.float32) * 0.02).astype(np.float16))

    def vector(name, n, value):
        w.add_tensor(name, np.full(n, value, dtype=np.float32))

    matrix("token_embd.weight", n_vocab, a.width)
    vector("output_norm.weight", a.width, 1)
    for i in range(a.layers):
        b = f"blk.{i}."
        for name in ("attn_norm", "ffn_norm"):
            vector(b + name + ".weight", a.width, 1)
        for name, rows, cols in (("attn_q", a.width, a.width), ("attn_k", kv, a.width), ("attn_v", kv, a.width),
                                 ("attn_output", a.width, a.width), ("ffn_gate", a.ff, a.width),
                                 ("ffn_up", a.ff, a.width), ("ffn_down", a.width, a.ff)):
            matrix(b + name + ".weight", rows, cols)
        for name, n in (("attn_q", a.width), ("attn_k", kv), ("attn_v", kv)):
            vector(b + name + ".bias", n, 0)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


main()
