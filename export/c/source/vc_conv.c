/* Convolutions of one row. How products are summed is chosen at compile time: AVR assembler, ARM's SMLAD, plain C. */
#include "vc_fixed_point.h"
#include "vc_kernels.h"
#if defined(__AVR__)
#include "vc_products_avr.h"
#else
#include "vc_products.h"
#endif

enum { S8, S16 };
enum { Q31, Q15 };

/* One output requantized, clamped, stored; `width` and `variant` are constants where it is used. */
VC_INLINE void finish(const vc_layer *layer, uint16_t o, int32_t sum, void *out, int width, int variant)
{
    const uint8_t shift = vc_flash_u8(layer->shift, o);
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

#define CONV(IN, TYPE)                                                                                                            \
    VC_INLINE void conv_##IN(const vc_layer *layer, const TYPE *const *rows, void *out, int width, int variant)                   \
    {                                                                                                                             \
        const uint16_t groups = layer->groups;                                                                                    \
        const uint16_t inputs = groups == 1 ? layer->inputs : layer->inputs / groups;                                             \
        const uint16_t outputs = groups == 1 ? layer->outputs : layer->outputs / groups;                                          \
        const uint16_t stride = (uint16_t)(inputs * layer->taps);                                                                 \
        vc_flash_t weights = layer->weights;                                                                                      \
        uint16_t o = 0, from = 0, end;                                                                                            \
        int32_t sums[VC_OUTPUTS_AT_ONCE];                                                                                         \
        for (end = outputs; end <= layer->outputs; end = (uint16_t)(end + outputs), from = (uint16_t)(from + inputs)) {           \
            if (VC_OUTPUTS_AT_ONCE > 1)                                                                                           \
                for (; o + 2 <= end; o = (uint16_t)(o + 2)) {                                                                     \
                    sums[0] = vc_flash_s32(layer->bias, o);                                                                       \
                    sums[VC_OUTPUTS_AT_ONCE - 1] = vc_flash_s32(layer->bias, (uint16_t)(o + 1));                                  \
                    vc_products_##IN(rows, from, layer->taps, weights, inputs, sums, VC_OUTPUTS_AT_ONCE);                         \
                    finish(layer, o, sums[0], out, width, variant);                                                               \
                    finish(layer, (uint16_t)(o + 1), sums[VC_OUTPUTS_AT_ONCE - 1], out, width, variant);                          \
                    weights = vc_flash_skip(vc_flash_skip(weights, stride), stride);                                              \
                }                                                                                                                 \
            for (; o < end; o++, weights = vc_flash_skip(weights, stride)) {                                                      \
                sums[0] = vc_flash_s32(layer->bias, o);                                                                           \
                vc_products_##IN(rows, from, layer->taps, weights, inputs, sums, 1);                                              \
                finish(layer, o, sums[0], out, width, variant);                                                                   \
            }                                                                                                                     \
        }                                                                                                                         \
    }                                                                                                                             \
    VC_INLINE void depthwise_##IN(const vc_layer *layer, const TYPE *const *rows, void *out, int width, int variant)              \
    {                                                                                                                             \
        vc_flash_t weights = layer->weights;                                                                                      \
        uint16_t o;                                                                                                               \
        for (o = 0; o < layer->outputs; o++, weights = vc_flash_skip(weights, layer->taps))                                       \
            finish(layer, o, vc_column_##IN(rows, o, layer->taps, weights, vc_flash_s32(layer->bias, o)), out, width, variant);   \
    }
CONV(s8, int8_t)
CONV(s16, int16_t)

#define KERNEL(KIND, IN, TYPE, OUT, OUT_TYPE, WIDTH)                                                                 \
    void vc_##KIND##_##IN##_##OUT##_q31(const vc_layer *layer, const TYPE *const *rows, OUT_TYPE *out)               \
    {                                                                                                                \
        KIND##_##IN(layer, rows, out, WIDTH, Q31);                                                                   \
    }                                                                                                                \
    void vc_##KIND##_##IN##_##OUT##_q15(const vc_layer *layer, const TYPE *const *rows, OUT_TYPE *out)               \
    {                                                                                                                \
        KIND##_##IN(layer, rows, out, WIDTH, Q15);                                                                   \
    }
KERNEL(conv, s8, int8_t, s8, int8_t, S8)
KERNEL(conv, s8, int8_t, s16, int16_t, S16)
KERNEL(conv, s16, int16_t, s8, int8_t, S8)
KERNEL(conv, s16, int16_t, s16, int16_t, S16)
KERNEL(depthwise, s8, int8_t, s8, int8_t, S8)
KERNEL(depthwise, s8, int8_t, s16, int16_t, S16)
KERNEL(depthwise, s16, int16_t, s8, int8_t, S8)
KERNEL(depthwise, s16, int16_t, s16, int16_t, S16)
