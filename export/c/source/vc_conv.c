/* Convolutions of one row; how is chosen at compile time. */
#if defined(__AVR__)
#include "vc_conv_avr.h"
#else
#include "vc_conv_any.h"
#endif

#define KERNEL(KIND, IN, TYPE, OUT, OUT_TYPE)                                                                                \
    void vc_##KIND##_##IN##_##OUT##_q31(const vc_layer *layer, const TYPE *const *rows, OUT_TYPE *out)                       \
    {                                                                                                                        \
        KIND##_##IN(layer, rows, out, sizeof(OUT_TYPE) > 1, 0);                                                              \
    }                                                                                                                        \
    void vc_##KIND##_##IN##_##OUT##_q15(const vc_layer *layer, const TYPE *const *rows, OUT_TYPE *out)                       \
    {                                                                                                                        \
        KIND##_##IN(layer, rows, out, sizeof(OUT_TYPE) > 1, 1);                                                              \
    }
KERNEL(conv, s8, int8_t, s8, int8_t)
KERNEL(conv, s8, int8_t, s16, int16_t)
KERNEL(conv, s16, int16_t, s8, int8_t)
KERNEL(conv, s16, int16_t, s16, int16_t)
KERNEL(depthwise, s8, int8_t, s8, int8_t)
KERNEL(depthwise, s8, int8_t, s16, int16_t)
KERNEL(depthwise, s16, int16_t, s8, int8_t)
KERNEL(depthwise, s16, int16_t, s16, int16_t)
