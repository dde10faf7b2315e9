"""A peer of the encoder: ONNX Runtime over a BERT of the same shape, random weights.

The graph is made here, operation by operation, and handed to the runtime's own optimiser
(its transformer fusions) and to its own dynamic 8-bit quantiser; the fastest of both forms
and of the batch sizes counts.  Texts of one batch are padded to the longest, as callers of it do;
no tokenizer is timed, which favours it.  Needs the pip packages numpy, onnx, onnxruntime."""
import os
import statistics
import tempfile
import time

LAYERS, WIDTH, HEADS, FF, VOCAB, POSITIONS = 12, 384, 12, 1536, 30000, 514
BATCHES = (1, 4, 16)


def make(path):
    """BERT (Devlin et al. 2018, arXiv:1810.04805) with mean pooling: ids, mask -> vectors."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save
    rng, nodes, consts, count = np.random.default_rng(1), [], [], [0]

    def const(name, a):
        consts.append(numpy_helper.from_array(a, name))
        return name

    def weight(name, *shape):
        return const(name, (rng.standard_normal(shape) * 0.05).astype(np.float32))

    def op(kind, *inputs, **attributes):
        count[0] += 1
        out = "%s_%d" % (kind, count[0])
        nodes.append(helper.make_node(kind, list(inputs), [out], name=out, **attributes))
        return out

    def linear(x, name, n_in, n_out):
        return op("Add", op("MatMul", x, weight(name + ".w", n_in, n_out)), weight(name + ".b", n_out))

    def norm(x, name):
        return op("LayerNormalization", x, const(name + ".g", np.ones(WIDTH, np.float32)),
                  const(name + ".o", np.zeros(WIDTH, np.float32)), axis=-1, epsilon=1e-12)

    def heads(x, perm):
        return op("Transpose", op("Reshape", x, split), perm=perm)

    split = const("split", np.array([0, 0, HEADS, WIDTH // HEADS], np.int64))
    joined = const("joined", np.array([0, 0, WIDTH], np.int64))
    scale = const("scale", np.array((WIDTH / HEADS) ** -0.5, np.float32))
    half, one, root = (const(n, np.array(v, np.float32)) for n, v in (("half", 0.5), ("one", 1), ("root", 2 ** 0.5)))
    one_d = const("axis1", np.array([1], np.int64))
    last = const("axis2", np.array([2], np.int64))
    inner = const("axes12", np.array([1, 2], np.int64))
    # 0 where a text has a token, -10000 where it is padded
    masked = op("Mul", op("Sub", one, op("Unsqueeze", "mask", inner)), const("never", np.array(-1e4, np.float32)))
    x = norm(op("Add", op("Gather", weight("words", VOCAB, WIDTH), "ids"),
                op("Gather", weight("places", POSITIONS, WIDTH), "places_at")), "first")
    for i in range(LAYERS):
        p = "l%d." % i
        q, v = (heads(linear(x, p + n, WIDTH, WIDTH), [0, 2, 1, 3]) for n in "qv")
        k = heads(linear(x, p + "k", WIDTH, WIDTH), [0, 2, 3, 1])
        a = op("Softmax", op("Add", op("Mul", op("MatMul", q, k), scale), masked), axis=-1)
        a = op("Reshape", op("Transpose", op("MatMul", a, v), perm=[0, 2, 1, 3]), joined)
        x = norm(op("Add", linear(a, p + "o", WIDTH, WIDTH), x), p + "n1")
        h = linear(x, p + "up", WIDTH, FF)
        h = op("Mul", op("Mul", h, op("Add", op("Erf", op("Div", h, root)), one)), half)
        x = norm(op("Add", linear(h, p + "down", FF, WIDTH), x), p + "n2")
    m = op("Unsqueeze", "mask", last)
    mean = op("Div", op("ReduceSum", op("Mul", x, m), one_d, keepdims=0), op("ReduceSum", m, one_d, keepdims=0))
    nodes.append(helper.make_node("Identity", [mean], ["vectors"]))
    inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", "len"]),
              helper.make_tensor_value_info("places_at", TensorProto.INT64, ["n", "len"]),
              helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["n", "len"])]
    out = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", WIDTH])]
    save(helper.make_model(helper.make_graph(nodes, "bert", inputs, out, consts),
                           opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def once(session, lengths, batch):
    import numpy as np
    for i in range(0, len(lengths), batch):
        part = lengths[i:i + batch]
        longest = max(part)
        places = np.tile(np.arange(longest, dtype=np.int64), (len(part), 1))
        mask = (places < np.array(part)[:, None]).astype(np.float32)
        session.run(None, {"ids": (places * 7919) % VOCAB, "places_at": places, "mask": mask})


def texts_per_second(lengths, threads, repeats):
    """The best form and batch: (texts a second, what it was, all that was tried)."""
    import onnxruntime as ort
    from onnxruntime.quantization import QuantType, quantize_dynamic
    tried = []
    with tempfile.TemporaryDirectory() as work:
        plain, packed = os.path.join(work, "f32.onnx"), os.path.join(work, "int8.onnx")
        make(plain)
        quantize_dynamic(plain, packed, weight_type=QuantType.QInt8)
        for form, path in (("f32", plain), ("int8", packed)):
            o = ort.SessionOptions()
            o.intra_op_num_threads, o.inter_op_num_threads = threads, 1
            o.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
            session = ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])
            for batch in BATCHES:
                times = []
                for i in range(repeats + 1):
                    t = time.monotonic()
                    once(session, lengths, batch)
                    if i:
                        times.append(time.monotonic() - t)
                tried.append((len(lengths) / statistics.median(times), "%s, batches of %d" % (form, batch)))
    best = max(tried)
    return best[0], best[1], tried
