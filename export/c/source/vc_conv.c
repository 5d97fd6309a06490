/* Convolutions of one row. How sums of products are made is chosen at compile time: AVR assembler, SMLAD of two products, or plain C. */
#include <string.h>

#include "vc_fixed_point.h"
#include "vc_kernels.h"

enum { S8, S16 };
enum { Q31, Q15 };

/* --- one output: requantized, clamped, stored; `width` and `variant` are constants where it is used --- */

VC_INLINE void finish(const vc_layer *layer, uint16_t o, int32_t sum, void *out, int width, int variant)
{
    uint8_t shift = vc_flash_u8(layer->shift, o);
    if (variant == Q15)
        sum = vc_q15(sum, layer->preshift, vc_flash_s16(layer->multiplier, o), shift);
    else
        sum = vc_q31(sum, vc_flash_s32(layer->multiplier, o), shift);
    sum = vc_clamp(sum + layer->zero_point, layer->low, layer->high);
    if (width == S8)
        ((int8_t *)out)[o] = (int8_t)sum;
    else
        ((int16_t *)out)[o] = (int16_t)sum;
}

/* --- sums[k] += n products of x with the weights of output k, which lie `stride` bytes behind those of output k - 1 --- */

#if defined(__AVR__)

#define PASS 1 /* outputs at a time */
#define AT_ONCE 512 /* products that 24 bits hold: 512 x 128 x 127 < 2^23 */

VC_INLINE int32_t products_s8(const int8_t *x, vc_flash_t weights, uint16_t n)
{
    uint8_t low = 0, middle = 0, high = 0, eights = (uint8_t)(n >> 3), rest = (uint8_t)(n & 7);
#if defined(__AVR_HAVE_ELPM__)
#define START "out %[rampz],%C[w]\n\tmovw r30,%A[w]\n\t"
#define FETCH "elpm r19,Z+\n\t"
#else
#define START "movw r30,%A[w]\n\t"
#define FETCH "lpm r19,Z+\n\t"
#endif
#define PRODUCT "ld r18,X+\n\t" FETCH "muls r18,r19\n\tsbc r20,r20\n\tadd %[a],r0\n\tadc %[b],r1\n\tadc %[c],r20\n\t"
    __asm__ volatile(START "tst %[eights]\n\tbreq 2f\n" /* 11 cycles a product */
                           "1:\t" PRODUCT PRODUCT PRODUCT PRODUCT PRODUCT PRODUCT PRODUCT PRODUCT "dec %[eights]\n\tbrne 1b\n"
                           "2:\ttst %[rest]\n\tbreq 4f\n"
                           "3:\t" PRODUCT "dec %[rest]\n\tbrne 3b\n"
                           "4:\tclr __zero_reg__\n\t"
                     : [a] "+&r"(low), [b] "+&r"(middle), [c] "+&r"(high), [eights] "+&r"(eights), [rest] "+&r"(rest), "+x"(x)
                     : [w] "r"(weights), [rampz] "I"(0x3B)
                     : "r0", "r18", "r19", "r20", "r30", "r31", "memory");
#undef START
#undef FETCH
#undef PRODUCT
    return (int32_t)((uint32_t)low | (uint32_t)middle << 8 | (uint32_t)high << 16 | (high & 0x80 ? 0xFF000000ul : 0ul));
}

VC_INLINE void accumulate_s8(const int8_t *x, vc_flash_t weights, uint16_t stride, uint16_t n, int32_t *sums, uint8_t outputs)
{
    (void)stride, (void)outputs;
    for (; n > AT_ONCE; n -= AT_ONCE, x += AT_ONCE, weights += AT_ONCE) *sums += products_s8(x, weights, AT_ONCE);
    *sums += products_s8(x, weights, n);
}

VC_INLINE void accumulate_s16(const int16_t *x, vc_flash_t weights, uint16_t stride, uint16_t n, int32_t *sums, uint8_t outputs)
{
    (void)stride, (void)outputs;
    for (; n--; x++, weights++) *sums += (int32_t)*x * vc_flash_s8(weights, 0);
}

#else

#define PASS 2

#if defined(__ARM_FEATURE_DSP)

typedef uint32_t word;

VC_INLINE word load(const void *from)
{
    word value;
    memcpy(&value, from, sizeof value);
    return value;
}

VC_INLINE word even(word bytes) /* bytes 0 and 2 as two numbers of 16 bits */
{
    word pair;
    __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(bytes));
    return pair;
}

VC_INLINE word odd(word bytes) /* bytes 1 and 3 */
{
    word pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(bytes));
    return pair;
}

VC_INLINE word lower(word first, word second) /* the lower halves of both */
{
    word pair;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(first), "r"(second));
    return pair;
}

VC_INLINE word upper(word first, word second) /* the upper halves */
{
    word pair;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(pair) : "r"(second), "r"(first));
    return pair;
}

VC_INLINE int32_t two_products(word a, word b, int32_t sum)
{
    __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
}

/* four at a time, in pairs (0, 2) and (1, 3) */
#define BY_FOUR(ROW, EVEN, ODD)                                                           \
    for (; n >= 4; n = (uint16_t)(n - 4), x += 4, w += 4) {                                \
        word row_even = EVEN, row_odd = ODD, bytes = load(w);                               \
        sums[0] = two_products(row_odd, odd(bytes), two_products(row_even, even(bytes), sums[0])); \
        if (outputs > 1) {                                                                   \
            bytes = load(w + stride);                                                         \
            sums[1] = two_products(row_odd, odd(bytes), two_products(row_even, even(bytes), sums[1])); \
        }                                                                                      \
    }
#define BY_FOUR_S8 BY_FOUR(x, even(load(x)), odd(load(x)))
#define BY_FOUR_S16 BY_FOUR(x, lower(load(x), load(x + 2)), upper(load(x), load(x + 2)))

#else
#define BY_FOUR_S8
#define BY_FOUR_S16
#endif

#define ACCUMULATE(NAME, TYPE, FAST)                                                                                                  \
    VC_INLINE void NAME(const TYPE *x, vc_flash_t weights, uint16_t stride, uint16_t n, int32_t *sums, uint8_t outputs)                \
    {                                                                                                                                   \
        const int8_t *w = (const int8_t *)weights;                                                                                       \
        FAST                                                                                                                              \
        for (; n > 0; n--, x++, w++) {                                                                                                     \
            sums[0] += *x * w[0];                                                                                                           \
            if (outputs > 1) sums[1] += *x * w[stride];                                                                                      \
        }                                                                                                                                     \
    }
ACCUMULATE(accumulate_s8, int8_t, BY_FOUR_S8)
ACCUMULATE(accumulate_s16, int16_t, BY_FOUR_S16)

#endif

/* --- the loops over outputs and taps --- */

#define CONV(NAME, TYPE, ACCUMULATE)                                                                                       \
    VC_INLINE void NAME(const vc_layer *layer, const TYPE *const *rows, void *out, int width, int variant)                  \
    {                                                                                                                        \
        const uint16_t inputs = layer->inputs / layer->groups, outputs = layer->outputs / layer->groups;                      \
        const uint16_t stride = (uint16_t)(inputs * layer->taps);                                                              \
        vc_flash_t weights = layer->weights;                                                                                    \
        uint16_t o, from = 0, end;                                                                                               \
        for (o = 0, end = outputs; o < layer->outputs; end = (uint16_t)(end + outputs), from = (uint16_t)(from + inputs)) {       \
            while (o < end) {                                                                                                      \
                const uint8_t now = PASS > 1 && end - o >= PASS ? PASS : 1;                                                         \
                int32_t sums[PASS];                                                                                                  \
                uint8_t k, tap;                                                                                                       \
                for (k = 0; k < now; k++) sums[k] = vc_flash_s32(layer->bias, (uint16_t)(o + k));                                       \
                for (tap = 0; tap < layer->taps; tap++) {                                                                               \
                    if (now == PASS)                                                                                                     \
                        ACCUMULATE(rows[tap] + from, weights, stride, inputs, sums, PASS);                                                \
                    else                                                                                                                   \
                        ACCUMULATE(rows[tap] + from, weights, stride, inputs, sums, 1);                                                     \
                    weights = vc_flash_skip(weights, inputs);                                                                                \
                }                                                                                                                             \
                for (k = 1; k < now; k++) weights = vc_flash_skip(weights, stride);                                                            \
                for (k = 0; k < now; k++, o++) finish(layer, o, sums[k], out, width, variant);                                                  \
            }                                                                                                                                    \
        }                                                                                                                                         \
    }
CONV(conv_s8, int8_t, accumulate_s8)
CONV(conv_s16, int16_t, accumulate_s16)

#define DEPTHWISE(NAME, TYPE)                                                                                        \
    VC_INLINE void NAME(const vc_layer *layer, const TYPE *const *rows, void *out, int width, int variant)            \
    {                                                                                                                  \
        vc_flash_t weights = layer->weights;                                                                            \
        uint16_t o;                                                                                                      \
        for (o = 0; o < layer->outputs; o++) {                                                                            \
            int32_t sum = vc_flash_s32(layer->bias, o);                                                                    \
            uint8_t tap;                                                                                                    \
            for (tap = 0; tap < layer->taps; tap++) sum += (int32_t)rows[tap][o] * vc_flash_s8(weights, tap);                \
            weights = vc_flash_skip(weights, layer->taps);                                                                    \
            finish(layer, o, sum, out, width, variant);                                                                        \
        }                                                                                                                       \
    }
DEPTHWISE(depthwise_s8, int8_t)
DEPTHWISE(depthwise_s16, int16_t)

/* --- the kernels --- */

#define KERNELS(IN, TYPE, OUT, OUT_TYPE, WIDTH)                                                                                                  \
    void vc_conv_##IN##_##OUT##_q31(const vc_layer *layer, const TYPE *const *rows, OUT_TYPE *out) { conv_##IN(layer, rows, out, WIDTH, Q31); }    \
    void vc_conv_##IN##_##OUT##_q15(const vc_layer *layer, const TYPE *const *rows, OUT_TYPE *out) { conv_##IN(layer, rows, out, WIDTH, Q15); }     \
    void vc_depthwise_##IN##_##OUT##_q31(const vc_layer *layer, const TYPE *const *rows, OUT_TYPE *out) { depthwise_##IN(layer, rows, out, WIDTH, Q31); } \
    void vc_depthwise_##IN##_##OUT##_q15(const vc_layer *layer, const TYPE *const *rows, OUT_TYPE *out) { depthwise_##IN(layer, rows, out, WIDTH, Q15); }

KERNELS(s8, int8_t, s8, int8_t, S8)
KERNELS(s8, int8_t, s16, int16_t, S16)
KERNELS(s16, int16_t, s8, int8_t, S8)
KERNELS(s16, int16_t, s16, int16_t, S16)
