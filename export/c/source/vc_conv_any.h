/* Convolutions of one row where flash is memory: four outputs at once, so that what is read of a row serves all; by SMLAD, two products an instruction, where there is one. */
#ifndef VC_CONV_ANY_H
#define VC_CONV_ANY_H

#include <stddef.h>

#include "vc_fixed_point.h"
#include "vc_kernels.h"

/* What the products of all outputs of a group share: `taps` rows, of each n elements from byte `from` on; the weights of an output are `stride` = taps n bytes. */
typedef struct {
    const void *rows;
    size_t from;
    size_t taps;
    size_t n;
    size_t stride;
} vc_reach;

/* sums[0 ... 3] = the biases of four outputs + their products with the weights w, w + stride, ... */
#if defined(__ARM_FEATURE_DSP) && __ARM_ARCH_PROFILE == 'M' && defined(__OPTIMIZE__) /* without optimization there are too few registers */

#define VC_WEIGHTS(SUM) /* four, in t, with the four elements in `even` and `odd` */                                         \
    "sxtb16 %[u], %[t]\n\tsxtb16 %[t], %[t], ror #8\n\tsmlad %[" SUM "], %[even], %[u], %[" SUM "]\n\tsmlad %[" SUM "], %[odd], %[t], %[" SUM "]\n\t"

#define VC_FOUR_ELEMENTS(LOAD)                                                                                               \
    LOAD "ldr %[t], [%[w], %[stride]]\n\t" VC_WEIGHTS("sum_1") "ldr %[t], [%[w_2], %[stride]]\n\t" VC_WEIGHTS("sum_3")       \
         "ldr %[t], [%[w_2]], #4\n\t" VC_WEIGHTS("sum_2") "ldr %[t], [%[w]], #4\n\t" VC_WEIGHTS("sum_0")

/* n is a multiple of four. 48 instructions are 32 products. What a tap needs once is left in memory, for there are 13 registers. */
#define VC_FOURS(WIDTH, LOAD)                                                                                                \
    VC_INLINE void vc_fours_##WIDTH(const vc_reach *reach, const int8_t *w, const int32_t *bias, int32_t *sums)              \
    {                                                                                                                        \
        const int8_t *const last = w + reach->stride, *w_2 = w + 2 * reach->stride, *x, *end;                                \
        const void *rows = reach->rows;                                                                                      \
        int32_t sum_0 = bias[0], sum_1 = bias[1], sum_2 = bias[2], sum_3 = bias[3];                                          \
        uint32_t even, odd, t, u;                                                                                            \
        __asm__ volatile("1:\n\tldr %[t], %[rows]\n\tldr %[x], [%[t]], #4\n\tstr %[t], %[rows]\n\t"                          \
                         "ldr %[t], %[from]\n\tadd %[x], %[t]\n\tldr %[t], %[n]\n\tadd %[end], %[w], %[t]\n"                 \
                         "lsls %[t], %[t], #29\n\tbmi 3f\n" /* an odd number of fours begins with the second */              \
                         "2:\n\t" VC_FOUR_ELEMENTS(LOAD) "3:\n\t" VC_FOUR_ELEMENTS(LOAD)                                     \
                         "cmp %[w], %[end]\n\tbne 2b\n\tldr %[t], %[last]\n\tcmp %[w], %[t]\n\tbne 1b"                       \
                         : [rows] "+m"(rows), [x] "=&r"(x), [w] "+r"(w), [w_2] "+r"(w_2), [end] "=&r"(end), [sum_0] "+r"(sum_0), \
                           [sum_1] "+r"(sum_1), [sum_2] "+r"(sum_2), [sum_3] "+r"(sum_3), [even] "=&r"(even), [odd] "=&r"(odd), \
                           [t] "=&r"(t), [u] "=&r"(u)                                                                        \
                         : [stride] "r"(reach->stride), [from] "m"(reach->from), [n] "m"(reach->n), [last] "m"(last)         \
                         : "cc", "memory");                                                                                  \
        sums[0] = sum_0, sums[1] = sum_1, sums[2] = sum_2, sums[3] = sum_3;                                                  \
    }
VC_FOURS(s8, "ldr %[t], [%[x]], #4\n\tsxtb16 %[even], %[t]\n\tsxtb16 %[odd], %[t], ror #8\n\t")
VC_FOURS(s16, "ldr %[t], [%[x]], #4\n\tldr %[u], [%[x]], #4\n\tpkhbt %[even], %[t], %[u], lsl #16\n\tpkhtb %[odd], %[u], %[t], asr #16\n\t")
#define VC_HAS_FOURS(n) ((n) % 4 == 0)

#else

#define VC_HAS_FOURS(n) 0
#define vc_fours_s8(reach, w, bias, sums)
#define vc_fours_s16(reach, w, bias, sums)

#endif

#define VC_PRODUCTS(WIDTH, TYPE)                                                                                             \
    VC_NOINLINE void vc_any_four_##WIDTH(const vc_reach *reach, const int8_t *w, const int32_t *bias, int32_t *sums)         \
    {                                                                                                                        \
        const TYPE *const *row = (const TYPE *const *)reach->rows, *const *const last = row + reach->taps;                   \
        const size_t n = reach->n, stride = reach->stride;                                                                   \
        int32_t sum_0 = bias[0], sum_1 = bias[1], sum_2 = bias[2], sum_3 = bias[3];                                          \
        for (; row < last; row++) {                                                                                          \
            const TYPE *x = *row + reach->from / sizeof(TYPE), *const end = x + n;                                           \
            for (; x < end; x++, w++) sum_0 += *x * w[0], sum_1 += *x * w[stride], sum_2 += *x * w[2 * stride], sum_3 += *x * w[3 * stride]; \
        }                                                                                                                    \
        sums[0] = sum_0, sums[1] = sum_1, sums[2] = sum_2, sums[3] = sum_3;                                                  \
    }                                                                                                                        \
    VC_NOINLINE int32_t vc_one_##WIDTH(const vc_reach *reach, const int8_t *w, int32_t sum)                                  \
    {                                                                                                                        \
        const TYPE *const *row = (const TYPE *const *)reach->rows, *const *const last = row + reach->taps;                   \
        for (; row < last; row++) {                                                                                          \
            const TYPE *x = *row + reach->from / sizeof(TYPE), *const end = x + reach->n;                                    \
            for (; x < end; x++, w++) sum += *x * *w;                                                                        \
        }                                                                                                                    \
        return sum;                                                                                                          \
    }
VC_PRODUCTS(s8, int8_t)
VC_PRODUCTS(s16, int16_t)

/* What is left to do for the sums of a row's outputs, and where the next ones have it. */
typedef struct {
    const uint8_t *shift;
    const void *multiplier;
    void *out;
    int32_t zero_point;
    int16_t low;
    int16_t high;
    uint8_t preshift;
} vc_rest;

VC_INLINE vc_rest vc_rest_of(const vc_layer *layer, void *out)
{
    vc_rest rest;
    rest.shift = (const uint8_t *)layer->shift, rest.multiplier = layer->multiplier, rest.out = out;
    rest.zero_point = layer->zero_point, rest.low = layer->low, rest.high = layer->high, rest.preshift = layer->preshift;
    return rest;
}

/* n sums requantized, clamped, stored; the rest are constants where it is used. `whole`: whether the clamp is that of the width. */
#define VC_FINISH(NAME, TYPE, MULTIPLIER, REQUANTIZED)                                                                       \
    VC_INLINE void NAME##_by(vc_rest *rest, const int32_t *sums, size_t n, int whole)                                        \
    {                                                                                                                        \
        const uint8_t *const shift = rest->shift, preshift = rest->preshift;                                                 \
        const MULTIPLIER *const multiplier = (const MULTIPLIER *)rest->multiplier;                                           \
        const int32_t zero_point = rest->zero_point;                                                                         \
        TYPE *const out = (TYPE *)rest->out;                                                                                 \
        size_t k;                                                                                                            \
        (void)preshift;                                                                                                      \
        for (k = 0; k < n; k++) {                                                                                            \
            const int32_t y = zero_point + REQUANTIZED;                                                                      \
            out[k] = (TYPE)(whole ? VC_SATURATE(y, 8 * sizeof(TYPE)) : vc_clamp(y, rest->low, rest->high));                  \
        }                                                                                                                    \
        rest->shift = shift + n, rest->multiplier = multiplier + n, rest->out = out + n;                                     \
    }                                                                                                                        \
    VC_NOINLINE void NAME(vc_rest *rest, const int32_t *sums, size_t n)                                                      \
    {                                                                                                                        \
        const int whole = VC_HAS_SATURATE && rest->low == -(1l << (8 * sizeof(TYPE) - 1)) && rest->high == (1l << (8 * sizeof(TYPE) - 1)) - 1; \
        if (whole && n == 4)                                                                                                 \
            NAME##_by(rest, sums, 4, 1);                                                                                     \
        else                                                                                                                 \
            NAME##_by(rest, sums, n, 0);                                                                                     \
    }
VC_FINISH(vc_finish_s8_q31, int8_t, int32_t, vc_q31(sums[k], multiplier[k], shift[k]))
VC_FINISH(vc_finish_s16_q31, int16_t, int32_t, vc_q31(sums[k], multiplier[k], shift[k]))
VC_FINISH(vc_finish_s8_q15, int8_t, int16_t, vc_q15(sums[k], preshift, multiplier[k], shift[k]))
VC_FINISH(vc_finish_s16_q15, int16_t, int16_t, vc_q15(sums[k], preshift, multiplier[k], shift[k]))

VC_INLINE void vc_finish(vc_rest *rest, const int32_t *sums, size_t n, int wide, int q15)
{
    if (wide)
        q15 ? vc_finish_s16_q15(rest, sums, n) : vc_finish_s16_q31(rest, sums, n);
    else
        q15 ? vc_finish_s8_q15(rest, sums, n) : vc_finish_s8_q31(rest, sums, n);
}

#define CONV(IN, TYPE)                                                                                                       \
    VC_INLINE void conv_##IN(const vc_layer *layer, const TYPE *const *rows, void *out, int wide, int q15)                   \
    {                                                                                                                        \
        const size_t groups = layer->groups, outputs = groups == 1 ? layer->outputs : layer->outputs / groups;               \
        const int8_t *weights = (const int8_t *)layer->weights;                                                              \
        const int32_t *bias = (const int32_t *)layer->bias;                                                                  \
        vc_rest rest = vc_rest_of(layer, out);                                                                               \
        vc_reach reach;                                                                                                      \
        int32_t sums[4];                                                                                                     \
        size_t group, o;                                                                                                     \
        reach.rows = rows, reach.from = 0, reach.taps = layer->taps;                                                         \
        reach.n = groups == 1 ? layer->inputs : layer->inputs / groups;                                                      \
        reach.stride = reach.taps * reach.n;                                                                                 \
        for (group = 0; group < groups; group++, reach.from += reach.n * sizeof(TYPE)) {                                     \
            for (o = outputs; o >= 4; o -= 4, weights += 4 * reach.stride, bias += 4) {                                      \
                if (VC_HAS_FOURS(reach.n)) {                                                                                 \
                    vc_fours_##IN(&reach, weights, bias, sums);                                                              \
                } else {                                                                                                     \
                    vc_any_four_##IN(&reach, weights, bias, sums);                                                           \
                }                                                                                                            \
                vc_finish(&rest, sums, 4, wide, q15);                                                                        \
            }                                                                                                                \
            for (; o > 0; o--, weights += reach.stride, bias++) {                                                            \
                sums[0] = vc_one_##IN(&reach, weights, *bias);                                                               \
                vc_finish(&rest, sums, 1, wide, q15);                                                                        \
            }                                                                                                                \
        }                                                                                                                    \
    }                                                                                                                        \
    VC_INLINE void depthwise_##IN(const vc_layer *layer, const TYPE *const *rows, void *out, int wide, int q15)              \
    {                                                                                                                        \
        const int8_t *weights = (const int8_t *)layer->weights;                                                              \
        const int32_t *bias = (const int32_t *)layer->bias;                                                                  \
        const size_t outputs = layer->outputs, taps = layer->taps;                                                           \
        vc_rest rest = vc_rest_of(layer, out);                                                                               \
        int32_t sums[4];                                                                                                     \
        size_t o, k = 0, tap;                                                                                                \
        for (o = 0; o < outputs; o++) {                                                                                      \
            int32_t sum = *bias++;                                                                                           \
            for (tap = 0; tap < taps; tap++) sum += rows[tap][o] * *weights++;                                               \
            sums[k++] = sum;                                                                                                 \
            if (k == 4 || o + 1 == outputs) vc_finish(&rest, sums, k, wide, q15), k = 0;                                     \
        }                                                                                                                    \
    }
CONV(s8, int8_t)
CONV(s16, int16_t)

#endif
