#!/usr/bin/env python3
"""Tiny random models and what reference programs say about them.

    python3 make.py bert          transformers 4.46.3 (Flax), jax 0.4.38
    python3 make.py ARCH PEER     qwen2, qwen3 or gemma3; gguf-py; PEER is
                                  bench/peer_logits.cpp, built against llama.cpp

Writes bert/, xlm-roberta/, llama/ (config.json, model.safetensors in F16, tokenizer.json)
and ARCH.gguf, each with token ids and the reference's output for them: the mean
of the last hidden state (encoders), all scores (llama), or a row a position of position,
token, likeliest next token, its score, its lead over the second (ARCH.tsv).
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
IDS = [4, 5, 9, 17, 33, 64, 2, 90, 41, 7, 8, 3]


def tokenizer(path, n):
    vocab = {f"t{i}" if i else "[UNK]": i for i in range(n)}
    unk = {"id": 0, "content": "[UNK]", "single_word": False, "lstrip": False, "rstrip": False,
           "normalized": False, "special": True}
    tok = {"version": "1.0", "added_tokens": [unk], "normalizer": None,
           "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": None, "decoder": None,
           "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                     "max_input_chars_per_word": 100, "vocab": vocab}}
    with open(os.path.join(path, "tokenizer.json"), "w") as f:
        json.dump(tok, f)


def flax():
    import jax
    import transformers as tf
    from safetensors.numpy import save_file

    sizes = dict(vocab_size=96, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                 intermediate_size=64, max_position_embeddings=40)
    made = [("bert", tf.FlaxBertModel, tf.BertConfig(**sizes)),
            ("xlm-roberta", tf.FlaxXLMRobertaModel,
             tf.XLMRobertaConfig(pad_token_id=1, type_vocab_size=1, **sizes)),
            ("llama", tf.FlaxLlamaForCausalLM,
             tf.LlamaConfig(num_key_value_heads=4, rope_theta=10000.0, rms_norm_eps=1e-5, **sizes))]
    for name, cls, config in made:
        path = os.path.join(HERE, name)
        os.makedirs(path, exist_ok=True)
        model = cls(config, seed=7, dtype=np.float32)
        flat, out = {}, {}

        def walk(tree, at):
            for k, v in tree.items():
                if isinstance(v, dict):
                    walk(v, at + [k])
                else:
                    flat[tuple(at + [k])] = np.asarray(v)
        walk(model.params, [])
        rng = np.random.default_rng(11)
        for k in sorted(flat):
            v = flat[k]
            if k[-1] == "scale" or (k[-1] == "weight" and v.ndim == 1):
                v = 1 + rng.normal(0, 0.1, v.shape)
            else:
                v = rng.normal(0, 0.3 if v.ndim > 1 else 0.1, v.shape)
            flat[k] = v.astype(np.float16).astype(np.float32)
        for k, v in flat.items():
            parts = list(k)
            if parts[-1] == "kernel":
                v, parts[-1] = v.T, "weight"
            elif parts[-1] in ("embedding", "scale"):
                parts[-1] = "weight"
            out[".".join(parts)] = np.ascontiguousarray(v.astype(np.float16))

        def build(tree, at):
            return {k: build(v, at + [k]) if isinstance(v, dict) else flat[tuple(at + [k])]
                    for k, v in tree.items()}
        params = build(model.params, [])
        with jax.default_matmul_precision("float32"):
            if name == "llama":
                y = model(np.array([IDS]), params=params).logits[0]
            else:
                y = model(np.array([IDS]), attention_mask=np.ones((1, len(IDS))),
                          params=params).last_hidden_state[0].mean(0)
        save_file(out, os.path.join(path, "model.safetensors"))
        conf = config.to_dict()
        conf["model_type"] = name
        with open(os.path.join(path, "config.json"), "w") as f:
            json.dump(conf, f, indent=1)
        tokenizer(path, sizes["vocab_size"])
        with open(os.path.join(path, "expected.json"), "w") as f:
            json.dump({"ids": IDS, "output": [round(float(x), 6) for x in np.asarray(y).ravel()]}, f)


# arch: width, feed-forward, heads, key heads, head width, layers, rotary base, sliding window
DECODERS = {"qwen2": (32, 32, 2, 1, 16, 2, 1e6, 0), "qwen3": (64, 64, 4, 2, 16, 2, 1e6, 0),
            "gemma3": (32, 32, 2, 1, 16, 7, 1e6, 8)}


def decoder(arch, peer):
    import gguf
    d, ff, heads, kv, hd, layers, base, window = DECODERS[arch]
    n_vocab = 96
    path = os.path.join(HERE, arch + ".gguf")
    w = gguf.GGUFWriter(path, arch)
    w.add_block_count(layers)
    w.add_context_length(64)
    w.add_embedding_length(d)
    w.add_feed_forward_length(ff)
    w.add_head_count(heads)
    w.add_head_count_kv(kv)
    w.add_key_length(hd)
    w.add_value_length(hd)
    w.add_rope_freq_base(base)
    w.add_layer_norm_rms_eps(1e-6)
    if window:
        w.add_sliding_window(window)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    tokens = [chr(33 + i) for i in range(94)] + ["ab", "<end>"]
    w.add_token_list(tokens)
    w.add_token_types([1] * 95 + [3])
    w.add_token_merges(["a b"])
    w.add_eos_token_id(95)
    rng = np.random.default_rng(3)

    def mat(name, cols, rows, spread):
        w.add_tensor(name, rng.normal(0, spread, (rows, cols)).astype(np.float32))

    def norm(name, n):
        w.add_tensor(name, rng.normal(1, 0.1, n).astype(np.float32))

    def bias(name, n):
        w.add_tensor(name, rng.normal(0, 0.5, n).astype(np.float32))
    # gemma3 scales embeddings up: with these the layers have their say beside them
    mat("token_embd.weight", d, n_vocab, 0.3 if arch == "gemma3" else 1)
    norm("output_norm.weight", d)
    for i in range(layers):
        b = f"blk.{i}."
        norm(b + "attn_norm.weight", d)
        mat(b + "attn_q.weight", d, heads * hd, 0.2)
        mat(b + "attn_k.weight", d, kv * hd, 0.2)
        mat(b + "attn_v.weight", d, kv * hd, 0.2)
        if arch == "qwen2":
            bias(b + "attn_q.bias", heads * hd)
            bias(b + "attn_k.bias", kv * hd)
            bias(b + "attn_v.bias", kv * hd)
        else:
            norm(b + "attn_q_norm.weight", hd)
            norm(b + "attn_k_norm.weight", hd)
        mat(b + "attn_output.weight", heads * hd, d, 0.2)
        if arch == "gemma3":
            norm(b + "post_attention_norm.weight", d)
        norm(b + "ffn_norm.weight", d)
        mat(b + "ffn_gate.weight", d, ff, 0.2)
        mat(b + "ffn_up.weight", d, ff, 0.2)
        mat(b + "ffn_down.weight", ff, d, 0.2)
        if arch == "gemma3":
            norm(b + "post_ffw_norm.weight", d)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    ids = IDS + IDS[::-1]
    rows = "".join(f"0 {i} {t} x\n" for i, t in enumerate(ids))
    ids_path = os.path.join(tempfile.mkdtemp(), "rows")
    with open(ids_path, "w") as f:
        f.write(rows)
    out = subprocess.run([peer, path, ids_path], check=True, stdout=subprocess.PIPE, text=True)
    with open(os.path.join(HERE, arch + ".tsv"), "w") as f:
        f.writelines(line.split("\t", 1)[1] + "\n" for line in out.stdout.splitlines())


if __name__ == "__main__":
    if sys.argv[1] in DECODERS:
        decoder(sys.argv[1], sys.argv[2])
    else:
        flax()
