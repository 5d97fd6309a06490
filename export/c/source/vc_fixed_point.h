/* Requantization and clamps: the twin of export/c/reference/fixed_point.py. Right shifts of negative numbers round down, as in every compiler meant here. */
#ifndef VC_FIXED_POINT_H
#define VC_FIXED_POINT_H

#include <stdint.h>

#if defined(__GNUC__)
#define VC_INLINE static inline __attribute__((always_inline))
#else
#define VC_INLINE static inline
#endif

#define VC_BEYOND ((int32_t)1 << 30) /* what lies beyond every clamp, and to which a zero point can be added */

VC_INLINE int32_t vc_clamp(int32_t x, int16_t low, int16_t high) { return x < low ? low : x > high ? high : x; }

/* Upper half of the 64 bits of x * m, m >= 0. */
#if defined(__AVR__)
static inline int32_t vc_multiply_high(int32_t x, int32_t m)
{
    /* columns of 8 x 8 products; of the four lowest bytes only the carry is kept, in the accumulator of four bytes that slides up */
    uint8_t a0, a1, a2, a3, zero;
    __asm__("clr %[z]\n\t"
            "mul %A[x],%B[m]\n\tmov %[a0],r0\n\tmov %[a1],r1\n\tclr %[a2]\n\tclr %[a3]\n\t"
            "mul %A[x],%A[m]\n\tadd %[a0],r1\n\tadc %[a1],%[z]\n\tadc %[a2],%[z]\n\t"
            "mul %B[x],%A[m]\n\tadd %[a0],r0\n\tadc %[a1],r1\n\tadc %[a2],%[z]\n\t"
            /* byte 2: a1 is its place now, a0 is free and becomes the top */
            "clr %[a0]\n\t"
            "mul %A[x],%C[m]\n\tadd %[a1],r0\n\tadc %[a2],r1\n\tadc %[a3],%[z]\n\t"
            "mul %B[x],%B[m]\n\tadd %[a1],r0\n\tadc %[a2],r1\n\tadc %[a3],%[z]\n\t"
            "mul %C[x],%A[m]\n\tadd %[a1],r0\n\tadc %[a2],r1\n\tadc %[a3],%[z]\n\t"
            /* byte 3 */
            "clr %[a1]\n\t"
            "mul %A[x],%D[m]\n\tadd %[a2],r0\n\tadc %[a3],r1\n\tadc %[a0],%[z]\n\t"
            "mul %B[x],%C[m]\n\tadd %[a2],r0\n\tadc %[a3],r1\n\tadc %[a0],%[z]\n\t"
            "mul %C[x],%B[m]\n\tadd %[a2],r0\n\tadc %[a3],r1\n\tadc %[a0],%[z]\n\t"
            "mul %D[x],%A[m]\n\tadd %[a2],r0\n\tadc %[a3],r1\n\tadc %[a0],%[z]\n\t"
            /* byte 4 */
            "clr %[a2]\n\t"
            "mul %B[x],%D[m]\n\tadd %[a3],r0\n\tadc %[a0],r1\n\tadc %[a1],%[z]\n\t"
            "mul %C[x],%C[m]\n\tadd %[a3],r0\n\tadc %[a0],r1\n\tadc %[a1],%[z]\n\t"
            "mul %D[x],%B[m]\n\tadd %[a3],r0\n\tadc %[a0],r1\n\tadc %[a1],%[z]\n\t"
            /* bytes 5 and 6 */
            "mul %C[x],%D[m]\n\tadd %[a0],r0\n\tadc %[a1],r1\n\tadc %[a2],%[z]\n\t"
            "mul %D[x],%C[m]\n\tadd %[a0],r0\n\tadc %[a1],r1\n\tadc %[a2],%[z]\n\t"
            "mul %D[x],%D[m]\n\tadd %[a1],r0\n\tadc %[a2],r1\n\t"
            /* x was taken for unsigned: below zero it is 2^32 more */
            "sbrs %D[x],7\n\trjmp 1f\n\t"
            "sub %[a3],%A[m]\n\tsbc %[a0],%B[m]\n\tsbc %[a1],%C[m]\n\tsbc %[a2],%D[m]\n"
            "1:\tclr __zero_reg__\n\t"
            : [a0] "=&r"(a0), [a1] "=&r"(a1), [a2] "=&r"(a2), [a3] "=&r"(a3), [z] "=&r"(zero)
            : [x] "r"(x), [m] "r"(m)
            : "r0");
    return (int32_t)((uint32_t)a3 | (uint32_t)a0 << 8 | (uint32_t)a1 << 16 | (uint32_t)a2 << 24);
}
#elif defined(__ARM_ARCH_6M__)
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

/* (x * m + 2^(s-1)) >> s, cut off at VC_BEYOND. From s = 33 on the lower half of the product has no part in it. */
VC_INLINE int32_t vc_q31(int32_t x, int32_t m, uint8_t s)
{
    int64_t y;
    if (s > 32) return (vc_multiply_high(x, m) + ((int32_t)1 << (s - 33))) >> (s - 32);
    y = ((int64_t)x * m + ((int64_t)1 << (s - 1))) >> s;
    return y > VC_BEYOND ? VC_BEYOND : y < -VC_BEYOND ? -VC_BEYOND : (int32_t)y;
}

/* (y * m + 2^(s-1)) >> s of y = (x + 2^(p-1)) >> p, |y| < 2^15. */
VC_INLINE int32_t vc_q15(int32_t x, uint8_t p, int16_t m, uint8_t s)
{
    int16_t y = (int16_t)((x + (((int32_t)1 << p) >> 1)) >> p);
    return ((int32_t)y * m + ((int32_t)1 << (s - 1))) >> s;
}

#endif
