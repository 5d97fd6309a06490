/* Requantization in AVR assembler. Shifts go bit by bit there, and the last bit that falls out is the one to round by. */
#ifndef VC_FIXED_POINT_AVR_H
#define VC_FIXED_POINT_AVR_H

#include <stdint.h>

/* (x + 2^(n-1)) >> n, n >= 1 */
static inline int32_t vc_halved(int32_t x, uint8_t n)
{
    __asm__("rjmp 2f\n"
            "1:\tmov %A[x],%B[x]\n\tmov %B[x],%C[x]\n\tmov %C[x],%D[x]\n\tlsl %D[x]\n\tsbc %D[x],%D[x]\n\tsubi %[n],8\n"
            "2:\tcpi %[n],9\n\tbrsh 1b\n"
            "3:\tasr %D[x]\n\tror %C[x]\n\tror %B[x]\n\tror %A[x]\n\tdec %[n]\n\tbrne 3b\n\t"
            "adc %A[x],__zero_reg__\n\tadc %B[x],__zero_reg__\n\tadc %C[x],__zero_reg__\n\tadc %D[x],__zero_reg__\n\t"
            : [x] "+r"(x), [n] "+d"(n));
    return x;
}

/* x * m */
static inline int32_t vc_multiplied(int8_t x, int16_t m)
{
    int32_t y;
    uint8_t zero;
    __asm__("clr %[z]\n\tmuls %[x],%B[m]\n\tmov %B[y],r0\n\tmov %C[y],r1\n\t"
            "mulsu %[x],%A[m]\n\tsbc %C[y],%[z]\n\tmov %A[y],r0\n\tadd %B[y],r1\n\tadc %C[y],%[z]\n\t"
            "mov %D[y],%C[y]\n\tlsl %D[y]\n\tsbc %D[y],%D[y]\n\tclr __zero_reg__"
            : [y] "=&r"(y), [z] "=&r"(zero)
            : [x] "a"(x), [m] "a"(m)
            : "r0");
    return y;
}

/* x >> n for n >= 12 and a result of 16 bits */
static inline int16_t vc_shifted(int32_t x, uint8_t n)
{
    int16_t y;
    __asm__("subi %[n],16\n\tbrcc 2f\n"
            "1:\tlsl %A[x]\n\trol %B[x]\n\trol %C[x]\n\trol %D[x]\n\tinc %[n]\n\tbrne 1b\n"
            "2:\tmov %A[y],%C[x]\n\tmov %B[y],%D[x]\n\ttst %[n]\n\tbreq 4f\n"
            "3:\tasr %B[y]\n\tror %A[y]\n\tdec %[n]\n\tbrne 3b\n"
            "4:"
            : [x] "+r"(x), [n] "+d"(n), [y] "=&r"(y));
    return y;
}

/* Upper half of the 64 bits of x * m, m >= 0: 16 products of 8 bits in columns; of the four lowest bytes only the carry is kept. */
static inline int32_t vc_multiply_high(int32_t x, int32_t m)
{
    uint8_t a, b, c, d, zero;
    __asm__("clr %[z]\n\t"
            /* bytes 1 to 4 are in a, b, c, d */
            "mul %A[x],%B[m]\n\tmov %[a],r0\n\tmov %[b],r1\n\tclr %[c]\n\tclr %[d]\n\t"
            "mul %A[x],%A[m]\n\tadd %[a],r1\n\tadc %[b],%[z]\n\tadc %[c],%[z]\n\t"
            "mul %B[x],%A[m]\n\tadd %[a],r0\n\tadc %[b],r1\n\tadc %[c],%[z]\n\t"
            /* byte 1 is done: a becomes byte 5 */
            "clr %[a]\n\t"
            "mul %A[x],%C[m]\n\tadd %[b],r0\n\tadc %[c],r1\n\tadc %[d],%[z]\n\t"
            "mul %B[x],%B[m]\n\tadd %[b],r0\n\tadc %[c],r1\n\tadc %[d],%[z]\n\t"
            "mul %C[x],%A[m]\n\tadd %[b],r0\n\tadc %[c],r1\n\tadc %[d],%[z]\n\t"
            /* b becomes byte 6 */
            "clr %[b]\n\t"
            "mul %A[x],%D[m]\n\tadd %[c],r0\n\tadc %[d],r1\n\tadc %[a],%[z]\n\t"
            "mul %B[x],%C[m]\n\tadd %[c],r0\n\tadc %[d],r1\n\tadc %[a],%[z]\n\t"
            "mul %C[x],%B[m]\n\tadd %[c],r0\n\tadc %[d],r1\n\tadc %[a],%[z]\n\t"
            "mul %D[x],%A[m]\n\tadd %[c],r0\n\tadc %[d],r1\n\tadc %[a],%[z]\n\t"
            /* c becomes byte 7 */
            "clr %[c]\n\t"
            "mul %B[x],%D[m]\n\tadd %[d],r0\n\tadc %[a],r1\n\tadc %[b],%[z]\n\t"
            "mul %C[x],%C[m]\n\tadd %[d],r0\n\tadc %[a],r1\n\tadc %[b],%[z]\n\t"
            "mul %D[x],%B[m]\n\tadd %[d],r0\n\tadc %[a],r1\n\tadc %[b],%[z]\n\t"
            "mul %C[x],%D[m]\n\tadd %[a],r0\n\tadc %[b],r1\n\tadc %[c],%[z]\n\t"
            "mul %D[x],%C[m]\n\tadd %[a],r0\n\tadc %[b],r1\n\tadc %[c],%[z]\n\t"
            "mul %D[x],%D[m]\n\tadd %[b],r0\n\tadc %[c],r1\n\t"
            /* x was taken for unsigned, which below zero is 2^32 more */
            "sbrs %D[x],7\n\trjmp 1f\n\t"
            "sub %[d],%A[m]\n\tsbc %[a],%B[m]\n\tsbc %[b],%C[m]\n\tsbc %[c],%D[m]\n"
            "1:\tclr __zero_reg__\n\t"
            : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [z] "=&r"(zero)
            : [x] "r"(x), [m] "r"(m)
            : "r0");
    return (int32_t)((uint32_t)d | (uint32_t)a << 8 | (uint32_t)b << 16 | (uint32_t)c << 24);
}

/* q15 for s >= 16: of y = (x + 2^(p-1)) >> p, |y| < 2^15, the upper half of y * m, rounded on. */
static inline int16_t vc_q15_from_16(int32_t x, uint8_t p, int16_t m, uint8_t s)
{
    int16_t y;
    uint8_t low, zero;
    s = (uint8_t)(s - 16);
    __asm__("clr %[z]\n\t"
            "rjmp 2f\n"
            "1:\tmov %A[x],%B[x]\n\tmov %B[x],%C[x]\n\tmov %C[x],%D[x]\n\tlsl %D[x]\n\tsbc %D[x],%D[x]\n\tsubi %[p],8\n"
            "2:\tcpi %[p],9\n\tbrsh 1b\n\ttst %[p]\n\tbreq 4f\n"
            "3:\tasr %C[x]\n\tror %B[x]\n\tror %A[x]\n\tdec %[p]\n\tbrne 3b\n\t"
            "adc %A[x],%[z]\n\tadc %B[x],%[z]\n"
            "4:\tmuls %B[x],%B[m]\n\tmovw %A[y],r0\n\t"
            "mul %A[x],%A[m]\n\tmov %[low],r1\n\t"
            "mulsu %B[x],%A[m]\n\tsbc %B[y],%[z]\n\tadd %[low],r0\n\tadc %A[y],r1\n\tadc %B[y],%[z]\n\t"
            "mul %A[x],%B[m]\n\tadd %[low],r0\n\tadc %A[y],r1\n\tadc %B[y],%[z]\n\t"
            "lsl %[low]\n\ttst %[s]\n\tbreq 6f\n"
            "5:\tasr %B[y]\n\tror %A[y]\n\tdec %[s]\n\tbrne 5b\n"
            "6:\tadc %A[y],%[z]\n\tadc %B[y],%[z]\n\t"
            "clr __zero_reg__\n\t"
            : [x] "+a"(x), [p] "+d"(p), [s] "+r"(s), [y] "=&r"(y), [low] "=&r"(low), [z] "=&r"(zero)
            : [m] "a"(m)
            : "r0");
    return y;
}

/* (x * factor + 2^14) >> 15: twice the product, of which the lower two bytes are rounded away */
static __attribute__((noinline, unused)) int32_t vc_times(int32_t x, int16_t factor)
{
    uint8_t low, a, b, c, d, zero;
    __asm__("clr %[z]\n\t"
            /* bytes 1 to 5 of the product are in low, a, b, c, d */
            "mul %A[x],%A[f]\n\tmov %[low],r1\n\t"
            "mul %B[x],%B[f]\n\tmov %[a],r0\n\tmov %[b],r1\n\t"
            "mul %D[x],%A[f]\n\tmov %[c],r1\n\tadd %[b],r0\n\tadc %[c],%[z]\n\tclr %[d]\n\t"
            "mul %D[x],%B[f]\n\tadd %[c],r0\n\tadc %[d],r1\n\t"
            "mul %C[x],%B[f]\n\tadd %[b],r0\n\tadc %[c],r1\n\tadc %[d],%[z]\n\t"
            "mul %C[x],%A[f]\n\tadd %[a],r0\n\tadc %[b],r1\n\tadc %[c],%[z]\n\tadc %[d],%[z]\n\t"
            "mul %A[x],%B[f]\n\tadd %[low],r0\n\tadc %[a],r1\n\tadc %[b],%[z]\n\tadc %[c],%[z]\n\tadc %[d],%[z]\n\t"
            "mul %B[x],%A[f]\n\tadd %[low],r0\n\tadc %[a],r1\n\tadc %[b],%[z]\n\tadc %[c],%[z]\n\tadc %[d],%[z]\n\t"
            "clr __zero_reg__\n\t"
            /* both were taken for unsigned */
            "sbrs %D[x],7\n\trjmp 1f\n\tsub %[c],%A[f]\n\tsbc %[d],%B[f]\n"
            "1:\tsbrs %B[f],7\n\trjmp 2f\n\tsub %[a],%A[x]\n\tsbc %[b],%B[x]\n\tsbc %[c],%C[x]\n\tsbc %[d],%D[x]\n"
            "2:\tlsl %[low]\n\trol %[a]\n\trol %[b]\n\trol %[c]\n\trol %[d]\n\t"
            "lsl %[low]\n\tadc %[a],%[z]\n\tadc %[b],%[z]\n\tadc %[c],%[z]\n\tadc %[d],%[z]\n\t"
            : [low] "=&r"(low), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [z] "=&r"(zero)
            : [x] "r"(x), [f] "r"(factor)
            : "r0");
    return (int32_t)((uint32_t)a | (uint32_t)b << 8 | (uint32_t)c << 16 | (uint32_t)d << 24);
}

#endif
