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

/* sums[0 ... 3] += the products of four outputs with the weights w, w + stride, ... */
#if defined(__ARM_FEATURE_DSP) && defined(__OPTIMIZE__) /* without optimization there are too few registers */

#define VC_WEIGHTS(SUM) /* four, in t, with the four elements in `even` and `odd` */ \
    "sxtb16 %[u], %[t]\n\tsxtb16 %[t], %[t], ror #8\n\tsmlad %[" SUM "], %[even], %[u], %[" SUM "]\n\tsmlad %[" SUM "], %[odd], %[t], %[" SUM "]\n\t"

#define VC_FOUR_ELEMENTS(LOAD)                                                                          \
    LOAD "ldr %[t], [%[w], %[stride]]\n\t" VC_WEIGHTS("sum_1") "ldr %[t], [%[w_2], %[stride]]\n\t" VC_WEIGHTS("sum_3") \
         "ldr %[t], [%[w_2]], #4\n\t" VC_WEIGHTS("sum_2") "ldr %[t], [%[w]], #4\n\t" VC_WEIGHTS("sum_0")

/* n is a multiple of four. 48 instructions are 32 products. What a tap needs once is left in memory, for there are 13 registers. */
#define VC_FOURS(WIDTH, LOAD)                                                                                                 \
    VC_INLINE void vc_fours_##WIDTH(const vc_reach *reach, const int8_t *w, int32_t *sums)                                    \
    {                                                                                                                         \
        const int8_t *const last = w + reach->stride, *w_2 = w + 2 * reach->stride, *x, *end;                                 \
        const void *rows = reach->rows;                                                                                       \
        int32_t sum_0 = sums[0], sum_1 = sums[1], sum_2 = sums[2], sum_3 = sums[3];                                           \
        uint32_t even, odd, t, u;                                                                                             \
        __asm__ volatile("1:\n\tldr %[t], %[rows]\n\tldr %[x], [%[t]], #4\n\tstr %[t], %[rows]\n\t"                           \
                         "ldr %[t], %[from]\n\tadd %[x], %[t]\n\tldr %[t], %[n]\n\tadd %[end], %[w], %[t]\n"                  \
                         "lsls %[t], %[t], #29\n\tbmi 3f\n" /* an odd number of fours begins with the second */                \
                         "2:\n\t" VC_FOUR_ELEMENTS(LOAD) "3:\n\t" VC_FOUR_ELEMENTS(LOAD)                                      \
                         "cmp %[w], %[end]\n\tbne 2b\n\tldr %[t], %[last]\n\tcmp %[w], %[t]\n\tbne 1b"                        \
                         : [rows] "+m"(rows), [x] "=&r"(x), [w] "+r"(w), [w_2] "+r"(w_2), [end] "=&r"(end), [sum_0] "+r"(sum_0), \
                           [sum_1] "+r"(sum_1), [sum_2] "+r"(sum_2), [sum_3] "+r"(sum_3), [even] "=&r"(even), [odd] "=&r"(odd), \
                           [t] "=&r"(t), [u] "=&r"(u)                                                                         \
                         : [stride] "r"(reach->stride), [from] "m"(reach->from), [n] "m"(reach->n), [last] "m"(last)          \
                         : "cc", "memory");                                                                                   \
        sums[0] = sum_0, sums[1] = sum_1, sums[2] = sum_2, sums[3] = sum_3;                                                   \
    }
VC_FOURS(s8, "ldr %[t], [%[x]], #4\n\tsxtb16 %[even], %[t]\n\tsxtb16 %[odd], %[t], ror #8\n\t")
VC_FOURS(s16, "ldr %[t], [%[x]], #4\n\tldr %[u], [%[x]], #4\n\tpkhbt %[even], %[t], %[u], lsl #16\n\tpkhtb %[odd], %[u], %[t], asr #16\n\t")
#define VC_HAS_FOURS(n) ((n) % 4 == 0)

#else

#define VC_HAS_FOURS(n) 0
#define vc_fours_s8(reach, w, sums)
#define vc_fours_s16(reach, w, sums)

#endif

#define VC_PRODUCTS(WIDTH, TYPE)                                                                                              \
    VC_NOINLINE void vc_any_four_##WIDTH(const vc_reach *reach, const int8_t *w, int32_t *sums)                               \
    {                                                                                                                         \
        const TYPE *const *row = (const TYPE *const *)reach->rows, *const *const last = row + reach->taps;                    \
        const size_t n = reach->n, stride = reach->stride;                                                                    \
        int32_t sum_0 = sums[0], sum_1 = sums[1], sum_2 = sums[2], sum_3 = sums[3];                                           \
        for (; row < last; row++) {                                                                                           \
            const TYPE *x = *row + reach->from / sizeof(TYPE), *const end = x + n;                                            \
            for (; x < end; x++, w++) sum_0 += *x * w[0], sum_1 += *x * w[stride], sum_2 += *x * w[2 * stride], sum_3 += *x * w[3 * stride]; \
        }                                                                                                                     \
        sums[0] = sum_0, sums[1] = sum_1, sums[2] = sum_2, sums[3] = sum_3;                                                   \
    }                                                                                                                         \
    VC_NOINLINE int32_t vc_one_##WIDTH(const vc_reach *reach, const int8_t *w, int32_t sum)                                   \
    {                                                                                                                         \
        const TYPE *const *row = (const TYPE *const *)reach->rows, *const *const last = row + reach->taps;                    \
        for (; row < last; row++) {                                                                                           \
            const TYPE *x = *row + reach->from / sizeof(TYPE), *const end = x + reach->n;                                     \
            for (; x < end; x++, w++) sum += *x * *w;                                                                         \
        }                                                                                                                     \
        return sum;                                                                                                           \
    }
VC_PRODUCTS(s8, int8_t)
VC_PRODUCTS(s16, int16_t)

/* Outputs o, o + 1, ... n of them: sums requantized, clamped, stored; `wide` (16 bits out) and `q15` are constants where it is used, and `whole`: whether the clamp is that of the width. */
VC_INLINE void finish_by(const vc_layer *layer, size_t o, const int32_t *sums, size_t n, void *out, int wide, int q15, int whole)
{
    const uint8_t *shift = (const uint8_t *)layer->shift + o, *const end = shift + n, preshift = layer->preshift;
    const int32_t *long_m = (const int32_t *)layer->multiplier + o;
    const int16_t *short_m = (const int16_t *)layer->multiplier + o;
    const int32_t zero_point = layer->zero_point;
    int8_t *bytes = (int8_t *)out + o;
    int16_t *words = (int16_t *)out + o;
    while (shift < end) {
        int32_t y = q15 ? vc_q15(*sums++, preshift, *short_m++, *shift++) : vc_q31(*sums++, *long_m++, *shift++);
        y += zero_point;
        if (wide)
            *words++ = (int16_t)(whole ? VC_SATURATE(y, 16) : vc_clamp(y, layer->low, layer->high));
        else
            *bytes++ = (int8_t)(whole ? VC_SATURATE(y, 8) : vc_clamp(y, layer->low, layer->high));
    }
}

VC_INLINE void finish(const vc_layer *layer, size_t o, const int32_t *sums, size_t n, void *out, int wide, int q15)
{
    if (VC_HAS_SATURATE && layer->low == (wide ? -32768 : -128) && layer->high == (wide ? 32767 : 127))
        finish_by(layer, o, sums, n, out, wide, q15, 1);
    else
        finish_by(layer, o, sums, n, out, wide, q15, 0);
}

#define CONV(IN, TYPE)                                                                                                        \
    VC_INLINE void conv_##IN(const vc_layer *layer, const TYPE *const *rows, void *out, int wide, int q15)                 \
    {                                                                                                                         \
        const size_t groups = layer->groups, outputs = groups == 1 ? layer->outputs : layer->outputs / groups;                \
        const int8_t *weights = (const int8_t *)layer->weights;                                                               \
        const int32_t *const bias = (const int32_t *)layer->bias;                                                             \
        const vc_layer of = *layer; /* in which nothing that is stored can lie */                                             \
        vc_reach reach;                                                                                                       \
        int32_t sums[4];                                                                                                      \
        size_t o = 0, end;                                                                                                    \
        reach.rows = rows, reach.from = 0, reach.taps = layer->taps;                                                          \
        reach.n = groups == 1 ? layer->inputs : layer->inputs / groups;                                                       \
        reach.stride = reach.taps * reach.n;                                                                                  \
        for (end = outputs; end <= layer->outputs; end += outputs, reach.from += reach.n * sizeof(TYPE)) {   \
            for (; o + 4 <= end; o += 4, weights += 4 * reach.stride) {                                        \
                sums[0] = bias[o], sums[1] = bias[o + 1], sums[2] = bias[o + 2], sums[3] = bias[o + 3];                       \
                if (VC_HAS_FOURS(reach.n)) {                                                                                  \
                    vc_fours_##IN(&reach, weights, sums);                                                                     \
                } else {                                                                                                      \
                    vc_any_four_##IN(&reach, weights, sums);                                                                  \
                }                                                                                                             \
                finish(&of, o, sums, 4, out, wide, q15);                                                                 \
            }                                                                                                                 \
            for (; o < end; o++, weights += reach.stride) {                                                                   \
                sums[0] = vc_one_##IN(&reach, weights, bias[o]);                                                              \
                finish(&of, o, sums, 1, out, wide, q15);                                                                 \
            }                                                                                                                 \
        }                                                                                                                     \
    }                                                                                                                         \
    VC_INLINE void depthwise_##IN(const vc_layer *layer, const TYPE *const *rows, void *out, int wide, int q15)                \
    {                                                                                                                             \
        const int8_t *weights = (const int8_t *)layer->weights;                                                                   \
        const vc_layer of = *layer;                                                                                           \
        size_t o, tap;                                                                                                        \
        for (o = 0; o < of.outputs; o++) {                                                                                    \
            int32_t sum = ((const int32_t *)of.bias)[o];                                                                      \
            for (tap = 0; tap < of.taps; tap++) sum += rows[tap][o] * *weights++;                                             \
            finish(&of, o, &sum, 1, out, wide, q15);                                                                       \
        }                                                                                                                     \
    }
CONV(s8, int8_t)
CONV(s16, int16_t)

#endif
