/* Convolutions of one row on an AVR: 11 cycles a product, the weights read from flash as they are needed. For inputs of 16 bits in C. */
#ifndef VC_CONV_AVR_H
#define VC_CONV_AVR_H

#include <avr/io.h>
#include <stddef.h>

#include "vc_fixed_point.h"
#include "vc_kernels.h"

/* What is at hand while a row is made; where the next constants lie moves on. Its places are written in the assembler below. */
typedef struct {
    const int8_t *const *rows; /* Y + 0 */
    uint16_t from;             /* 2: first element */
    uint8_t taps;              /* 4 */
    uint8_t eights;            /* 5: elements of a row / 8 */
    uint8_t rest;              /* 6: and what remains */
    uint32_t weights;          /* 7 */
    uint32_t bias;             /* 11 */
    uint32_t multiplier;       /* 15 */
    uint32_t shift;            /* 19 */
    const vc_layer *layer;
} vc_row;

#if defined(__AVR_HAVE_ELPM__)
#define VC_TO(PLACE) "ldd r18,Y+" #PLACE "+2\n\tout 0x3B,r18\n\tldd r30,Y+" #PLACE "\n\tldd r31,Y+" #PLACE "+1\n\t"
#define VC_LEAVE(PLACE) "in r18,0x3B\n\tstd Y+" #PLACE "+2,r18\n\tstd Y+" #PLACE ",r30\n\tstd Y+" #PLACE "+1,r31\n\t"
#define VC_FETCH(INTO) "elpm " INTO ",Z+\n\t"
#else
#define VC_TO(PLACE) "ldd r30,Y+" #PLACE "\n\tldd r31,Y+" #PLACE "+1\n\t"
#define VC_LEAVE(PLACE) "std Y+" #PLACE ",r30\n\tstd Y+" #PLACE "+1,r31\n\t"
#define VC_FETCH(INTO) "lpm " INTO ",Z+\n\t"
#endif
#define VC_BEGIN "push r28\n\tpush r29\n\tmovw r28,%[row]\n\t"
#define VC_END "pop r29\n\tpop r28\n\t"
#define VC_SUM_IS_BIAS VC_TO(11) VC_FETCH("%A[sum]") VC_FETCH("%B[sum]") VC_FETCH("%C[sum]") VC_FETCH("%D[sum]") VC_LEAVE(11)
#define VC_NEXT_ROW /* X = its element `from` */                                                                             \
    "movw r26,%[rows]\n\tld r18,X+\n\tld r19,X+\n\tmovw %[rows],r26\n\tmovw r26,r18\n\tldd r18,Y+2\n\tldd r19,Y+3\n\tadd r26,r18\n\tadc r27,r19\n\t"
#define VC_PRODUCT "ld r18,X+\n\t" VC_FETCH("r19") "muls r18,r19\n\tsbc r20,r20\n\tadd %[a],r0\n\tadc %[b],r1\n\tadc %[c],r20\n\t"

/* bias + products of all rows; of each row at most 512, which 24 bits hold: 512 x 128 x 127 < 2^23 */
VC_INLINE int32_t vc_sum_of_rows(vc_row *row)
{
    int32_t sum;
    const int8_t *const *rows = row->rows;
    uint8_t taps = row->taps, a, b, c, k;
    __asm__ volatile(VC_BEGIN VC_SUM_IS_BIAS VC_TO(7)
                     "1:\t" VC_NEXT_ROW "clr %[a]\n\tclr %[b]\n\tclr %[c]\n\tldd %[k],Y+5\n\ttst %[k]\n\tbreq 3f\n"
                     "2:\t" VC_PRODUCT VC_PRODUCT VC_PRODUCT VC_PRODUCT VC_PRODUCT VC_PRODUCT VC_PRODUCT VC_PRODUCT "dec %[k]\n\tbrne 2b\n"
                     "3:\tldd %[k],Y+6\n\ttst %[k]\n\tbreq 5f\n"
                     "4:\t" VC_PRODUCT "dec %[k]\n\tbrne 4b\n"
                     "5:\tmov r20,%[c]\n\tlsl r20\n\tsbc r20,r20\n\t"
                     "add %A[sum],%[a]\n\tadc %B[sum],%[b]\n\tadc %C[sum],%[c]\n\tadc %D[sum],r20\n\t"
                     "dec %[taps]\n\tbreq 6f\n\trjmp 1b\n"
                     "6:\t" VC_LEAVE(7) "clr __zero_reg__\n\t" VC_END
                     : [sum] "=&r"(sum), [rows] "+r"(rows), [taps] "+r"(taps), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [k] "=&r"(k)
                     : [row] "r"(row)
                     : "r0", "r18", "r19", "r20", "r26", "r27", "r30", "r31", "memory");
    return sum;
}

/* bias + products of element `from` of all rows */
VC_INLINE int32_t vc_sum_of_column(vc_row *row)
{
    int32_t sum;
    const int8_t *const *rows = row->rows;
    uint8_t taps = row->taps;
    __asm__ volatile(VC_BEGIN VC_SUM_IS_BIAS VC_TO(7)
                     "1:\t" VC_NEXT_ROW "ld r18,X\n\t" VC_FETCH("r19") "muls r18,r19\n\tsbc r20,r20\n\t"
                     "add %A[sum],r0\n\tadc %B[sum],r1\n\tadc %C[sum],r20\n\tadc %D[sum],r20\n\tdec %[taps]\n\tbrne 1b\n\t"
                     VC_LEAVE(7) "clr __zero_reg__\n\t" VC_END
                     : [sum] "=&r"(sum), [rows] "+r"(rows), [taps] "+r"(taps)
                     : [row] "r"(row)
                     : "r0", "r18", "r19", "r20", "r26", "r27", "r30", "r31", "memory");
    row->from++;
    return sum;
}

/* The next output's sum requantized and clamped. */
VC_INLINE int16_t vc_finished_q15(vc_row *row, int32_t sum)
{
    const vc_layer *const layer = row->layer;
    int16_t m;
    uint8_t s;
    __asm__ volatile(VC_BEGIN VC_TO(15) VC_FETCH("%A[m]") VC_FETCH("%B[m]") VC_LEAVE(15) VC_TO(19) VC_FETCH("%[s]") VC_LEAVE(19) VC_END
                     : [m] "=&r"(m), [s] "=&r"(s)
                     : [row] "r"(row)
                     : "r18", "r30", "r31", "memory");
    if (s >= 16) { /* within 2^14: no clamp lies beyond the zero point's reach */
        int16_t y = (int16_t)(vc_q15_from_16(sum, layer->preshift, m, s) + layer->zero_point);
        return y < layer->low ? layer->low : y > layer->high ? layer->high : y;
    }
    return (int16_t)vc_clamp(vc_q15_below_16(sum, layer->preshift, m, s) + layer->zero_point, layer->low, layer->high);
}

VC_INLINE int16_t vc_finished_q31(vc_row *row, int32_t sum)
{
    const vc_layer *const layer = row->layer;
    int32_t m;
    uint8_t s;
    __asm__ volatile(VC_BEGIN VC_TO(15) VC_FETCH("%A[m]") VC_FETCH("%B[m]") VC_FETCH("%C[m]") VC_FETCH("%D[m]") VC_LEAVE(15) VC_TO(19) VC_FETCH("%[s]")
                         VC_LEAVE(19) VC_END
                     : [m] "=&r"(m), [s] "=&r"(s)
                     : [row] "r"(row)
                     : "r18", "r30", "r31", "memory");
    return (int16_t)vc_clamp(vc_q31(sum, m, s) + layer->zero_point, layer->low, layer->high);
}

VC_INLINE int16_t vc_next_of_rows_q15(vc_row *row) { return vc_finished_q15(row, vc_sum_of_rows(row)); }
VC_INLINE int16_t vc_next_of_rows_q31(vc_row *row) { return vc_finished_q31(row, vc_sum_of_rows(row)); }
VC_INLINE int16_t vc_next_of_column_q15(vc_row *row) { return vc_finished_q15(row, vc_sum_of_column(row)); }
VC_INLINE int16_t vc_next_of_column_q31(vc_row *row) { return vc_finished_q31(row, vc_sum_of_column(row)); }

/* In C, for rows of any length and width: the sum of the next output. */
#define VC_PLAIN_SUM(WIDTH, TYPE)                                                                                            \
    VC_NOINLINE int32_t vc_plain_sum_##WIDTH(vc_row *row, uint16_t n)                                                        \
    {                                                                                                                        \
        const TYPE *const *const rows = (const TYPE *const *)row->rows;                                                      \
        int32_t sum = vc_flash_s32((vc_flash_t)row->bias, 0);                                                                \
        uint16_t i;                                                                                                          \
        uint8_t tap;                                                                                                         \
        for (tap = 0; tap < row->taps; tap++, row->weights += n)                                                             \
            for (i = 0; i < n; i++) sum += (int32_t)rows[tap][row->from + i] * vc_flash_s8((vc_flash_t)row->weights, i);     \
        row->bias += 4;                                                                                                      \
        return sum;                                                                                                          \
    }
VC_PLAIN_SUM(s8, int8_t)
VC_PLAIN_SUM(s16, int16_t)

VC_INLINE vc_row vc_row_of(const vc_layer *layer, const void *rows, uint16_t n)
{
    vc_row row;
    row.rows = (const int8_t *const *)rows, row.from = 0, row.taps = layer->taps, row.layer = layer;
    row.eights = (uint8_t)(n >> 3), row.rest = (uint8_t)(n & 7);
    row.weights = layer->weights, row.bias = layer->bias, row.multiplier = layer->multiplier, row.shift = layer->shift;
    return row;
}

VC_INLINE void vc_store(void *out, uint16_t o, int16_t y, int wide)
{
    if (wide)
        ((int16_t *)out)[o] = y;
    else
        ((int8_t *)out)[o] = (int8_t)y;
}

VC_INLINE void vc_conv(const vc_layer *layer, const void *rows, void *out, int wide_input, int wide, int q15)
{
    const uint16_t inputs = layer->groups == 1 ? layer->inputs : layer->inputs / layer->groups;
    const uint16_t outputs = layer->groups == 1 ? layer->outputs : layer->outputs / layer->groups;
    vc_row row = vc_row_of(layer, rows, inputs);
    uint16_t o, left = outputs;
    for (o = 0; o < layer->outputs; o++, left--) {
        int16_t y;
        if (left == 0) left = outputs, row.from = (uint16_t)(row.from + inputs);
        if (wide_input || inputs > 512) {
            const int32_t sum = wide_input ? vc_plain_sum_s16(&row, inputs) : vc_plain_sum_s8(&row, inputs);
            y = q15 ? vc_finished_q15(&row, sum) : vc_finished_q31(&row, sum);
        } else {
            y = q15 ? vc_next_of_rows_q15(&row) : vc_next_of_rows_q31(&row);
        }
        vc_store(out, o, y, wide);
    }
}

VC_INLINE void vc_depthwise(const vc_layer *layer, const void *rows, void *out, int wide_input, int wide, int q15)
{
    vc_row row = vc_row_of(layer, rows, 1);
    uint16_t o;
    for (o = 0; o < layer->outputs; o++) {
        int16_t y;
        if (wide_input) {
            const int32_t sum = vc_plain_sum_s16(&row, 1);
            row.from++;
            y = q15 ? vc_finished_q15(&row, sum) : vc_finished_q31(&row, sum);
        } else {
            y = q15 ? vc_next_of_column_q15(&row) : vc_next_of_column_q31(&row);
        }
        vc_store(out, o, y, wide);
    }
}

#define conv_s8(layer, rows, out, wide, q15) vc_conv(layer, rows, out, 0, wide, q15)
#define conv_s16(layer, rows, out, wide, q15) vc_conv(layer, rows, out, 1, wide, q15)
#define depthwise_s8(layer, rows, out, wide, q15) vc_depthwise(layer, rows, out, 0, wide, q15)
#define depthwise_s16(layer, rows, out, wide, q15) vc_depthwise(layer, rows, out, 1, wide, q15)

#endif
