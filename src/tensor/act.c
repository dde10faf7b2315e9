/* tensor/act.c - activations and element-wise operations over the pool. */
#include "tensor/act.h"

#include <math.h>

#include "tensor/kernels.h"

/* A multiple of 16, so that pieces start where the kernels' lanes do. */
enum { PIECE = 8192 };

typedef enum elem_op { OP_ACT, OP_ADD, OP_SCALE, OP_SOFTCAP } elem_op;

typedef struct elem_task {
    elem_op op;
    lf_act act;
    const float *a, *b;
    float s;
    float *y;
} elem_task;

static void elem_span(void *ud, size_t begin, size_t end, int worker)
{
    const elem_task *t = ud;
    const lf_kernels_elem *k = lf_kernels_best()->elem;
    const float *a = t->a + begin, *b = t->b ? t->b + begin : NULL;
    const size_t n = end - begin;
    (void)worker;
    switch (t->op) {
    case OP_ACT:
        k->act(t->act, a, b, n, t->y + begin);
        return;
    case OP_ADD:
        k->add(a, b, n, t->y + begin);
        return;
    case OP_SCALE:
        k->scale(a, t->s, n, t->y + begin);
        return;
    case OP_SOFTCAP:
        k->softcap(a, t->s, n, t->y + begin);
    }
}

static void run_elem(lf_pool *pool, size_t n, elem_task t)
{
    lf_pool_run(pool, n, PIECE, elem_span, &t);
}

void lf_act_apply(lf_pool *pool, lf_act act, const float *x, size_t n, float *y)
{
    run_elem(pool, n, (elem_task){ .op = OP_ACT, .act = act, .a = x, .y = y });
}

void lf_act_mul(lf_pool *pool, lf_act act, const float *gate, const float *up, size_t n, float *y)
{
    run_elem(pool, n, (elem_task){ .op = OP_ACT, .act = act, .a = gate, .b = up, .y = y });
}

void lf_add(lf_pool *pool, const float *a, const float *b, size_t n, float *y)
{
    run_elem(pool, n, (elem_task){ .op = OP_ADD, .a = a, .b = b, .y = y });
}

void lf_scale(lf_pool *pool, const float *x, float s, size_t n, float *y)
{
    run_elem(pool, n, (elem_task){ .op = OP_SCALE, .a = x, .s = s, .y = y });
}

void lf_softcap(lf_pool *pool, const float *x, float cap, size_t n, float *y)
{
    run_elem(pool, n, (elem_task){ .op = OP_SOFTCAP, .a = x, .s = cap, .y = y });
}

double lf_act_ref(lf_act act, double x)
{
    switch (act) {
    case LF_ACT_SILU:
        return x / (1.0 + exp(-x));
    case LF_ACT_GELU:
        return 0.5 * x * (1.0 + erf(x / sqrt(2.0)));
    case LF_ACT_GELU_TANH:
        return 0.5 * x *
               (1.0 + tanh(sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case LF_ACT_TANH:
        return tanh(x);
    default:
        return x > 0.0 ? x : 0.0;
    }
}
