/* Requantization and clamps: the twin of export/c/reference/fixed_point.py. Right shifts of negative numbers round down, as in every compiler meant here. */
#ifndef VC_FIXED_POINT_H
#define VC_FIXED_POINT_H

#include <stdint.h>

#if defined(__GNUC__)
#define VC_INLINE static inline __attribute__((always_inline))
#define VC_NOINLINE static __attribute__((noinline, unused))
#else
#define VC_INLINE static inline
#define VC_NOINLINE static inline
#endif

#define VC_BEYOND ((int32_t)1 << 30) /* what lies beyond every clamp, and to which a zero point can be added */

VC_INLINE int32_t vc_clamp(int32_t x, int16_t low, int16_t high) { return x < low ? low : x > high ? high : x; }

/* The clamp of 8 or 16 bits in one instruction, where there is one. */
#if defined(__ARM_FEATURE_SAT)
#define VC_HAS_SATURATE 1
#define VC_SATURATE(x, bits)                                                                                                 \
    __extension__({                                                                                                          \
        int32_t saturated;                                                                                                   \
        __asm__("ssat %0, %1, %2" : "=r"(saturated) : "I"(bits), "r"(x));                                                    \
        saturated;                                                                                                           \
    })
#else
#define VC_HAS_SATURATE 0
#define VC_SATURATE(x, bits) (x)
#endif

#if defined(__AVR__)

#include "vc_fixed_point_avr.h"

#else

/* (x + 2^(n-1)) >> n, n >= 1 */
VC_INLINE int32_t vc_halved(int32_t x, uint8_t n) { return ((x >> (n - 1)) + 1) >> 1; }

/* Upper half of the 64 bits of x * m, m >= 0. */
#if defined(__ARM_ARCH_6M__)
VC_INLINE int32_t vc_multiply_high(int32_t x, int32_t m)
{
    /* no 32 x 32 -> 64 product here: four of 16 x 16 */
    uint32_t x_low = (uint32_t)x & 0xFFFFu, m_low = (uint32_t)m & 0xFFFFu;
    int32_t x_high = x >> 16, m_high = m >> 16;
    uint32_t low = x_low * m_low;
    int32_t middle = x_high * (int32_t)m_low + (int32_t)(low >> 16); /* within -2^31 and 2^31 - 2^16 */
    int32_t cross = (int32_t)(x_low * (uint32_t)m_high);            /* below 2^31 */
    return x_high * m_high + (middle >> 16) + ((int32_t)(((uint32_t)middle & 0xFFFFu) + (uint32_t)cross) >> 16);
}
#else
VC_INLINE int32_t vc_multiply_high(int32_t x, int32_t m) { return (int32_t)(((int64_t)x * m) >> 32); }
#endif

VC_INLINE int32_t vc_multiplied(int8_t x, int16_t m) { return (int32_t)x * m; }

/* (x * factor + 2^14) >> 15 */
#if defined(__ARM_ARCH_6M__)
VC_INLINE int32_t vc_times(int32_t x, int16_t factor)
{
    const int32_t upper = (x >> 16) * factor, lower = (int32_t)((uint32_t)x & 0xFFFFu) * factor;
    return (int32_t)((uint32_t)upper << 1) + ((lower + 16384) >> 15);
}
#elif defined(__thumb2__) /* and not before ARMv7 */
VC_INLINE int32_t vc_times(int32_t x, int16_t factor)
{
    int32_t low, high; /* the last bit that is shifted out is the one to round by */
    __asm__("smull %0, %1, %2, %3\n\tlsrs %0, %0, #15\n\tadc %0, %0, %1, lsl #17" : "=&r"(low), "=&r"(high) : "r"(x), "r"((int32_t)factor) : "cc");
    return low;
}
#else
VC_INLINE int32_t vc_times(int32_t x, int16_t factor) { return (int32_t)(((int64_t)x * factor + 16384) >> 15); }
#endif

#endif

/* (x * m + 2^(s-1)) >> s, cut off at VC_BEYOND. From s = 33 on, which is for factors below 1/4, the lower half of the product has no part in it. */
VC_NOINLINE int32_t vc_q31_below_33(int32_t x, int32_t m, uint8_t s)
{
    int64_t y;
    if (s > 28 && x < (int32_t)1 << 27 && x > -((int32_t)1 << 27)) return vc_halved(vc_multiply_high((int32_t)((uint32_t)x << (33 - s)), m), 1);
    y = ((int64_t)x * m + ((int64_t)1 << (s - 1))) >> s;
    return y > VC_BEYOND ? VC_BEYOND : y < -VC_BEYOND ? -VC_BEYOND : (int32_t)y;
}

VC_INLINE int32_t vc_q31(int32_t x, int32_t m, uint8_t s)
{
#if defined(__AVR__)
    return s > 32 ? vc_halved(vc_multiply_high(x, m), (uint8_t)(s - 32)) : vc_q31_below_33(x, m, s);
#else
    const int32_t shift = s - 33;
    return shift < 0 ? vc_q31_below_33(x, m, s) : ((vc_multiply_high(x, m) >> shift) + 1) >> 1;
#endif
}

/* (y * m + 2^(s-1)) >> s of y = (x + 2^(p-1)) >> p, |y| < 2^15. */
#if defined(__AVR__)
VC_NOINLINE int32_t vc_q15_below_16(int32_t x, uint8_t p, int16_t m, uint8_t s) { return vc_halved((int32_t)(int16_t)(p ? vc_halved(x, p) : x) * m, s); }
VC_INLINE int32_t vc_q15(int32_t x, uint8_t p, int16_t m, uint8_t s) { return s < 16 ? vc_q15_below_16(x, p, m, s) : vc_q15_from_16(x, p, m, s); }
#else
VC_INLINE int32_t vc_q15(int32_t x, uint8_t p, int16_t m, uint8_t s) { return vc_halved((int32_t)(int16_t)(p ? vc_halved(x, p) : x) * m, s); }
#endif

#endif
