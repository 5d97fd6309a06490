/* Kernels element by element: sums, products, other scales, tables, clamps. */
#include "vc_fixed_point.h"
#include "vc_kernels.h"

/* --- sums --- */

VC_INLINE int32_t sum_of(const vc_sum *sum, int8_t a, int8_t b) { return vc_multiplied(a, sum->a_multiplier) + vc_multiplied(b, sum->b_multiplier) + sum->offset; }

void vc_add_s8_s8_s8(const vc_sum *sum, const int8_t *a, const int8_t *b, int8_t *out, uint16_t n)
{
    const vc_sum of = *sum; /* in which nothing that is stored can lie */
#if defined(__AVR__)
    if (of.shift >= 12) /* the sum is below 2^(shift + 8) + 2^23, its shifted value has 16 bits */
        for (; n > 0; n--, a++, b++, out++) {
            const int16_t y = vc_shifted(sum_of(&of, *a, *b), of.shift);
            *out = (int8_t)(y < of.low ? of.low : y > of.high ? of.high : y);
        }
    else
#endif
        for (; n > 0; n--, a++, b++, out++) *out = (int8_t)vc_clamp(sum_of(&of, *a, *b) >> of.shift, of.low, of.high);
}

VC_INLINE int32_t wide_sum(const vc_wide_sum *sum, int32_t a, int32_t b)
{
    int64_t y = ((int64_t)a * sum->a_multiplier + (int64_t)b * sum->b_multiplier + sum->offset) >> sum->shift;
    return y < sum->low ? sum->low : y > sum->high ? sum->high : (int32_t)y;
}

VC_INLINE int32_t product(const vc_product *of, int32_t a, int32_t b)
{
    int32_t y = vc_q31((a - of->a_zero_point) * (b - of->b_zero_point), of->multiplier, of->shift);
    return vc_clamp(y + of->zero_point, of->low, of->high);
}

#define OF_TWO(NAME, FACTS, VALUE, A, B, OUT)                                                                                \
    void NAME(const FACTS *facts, const A *a, const B *b, OUT *out, uint16_t n)                                              \
    {                                                                                                                        \
        for (; n > 0; n--, a++, b++, out++) *out = (OUT)VALUE(facts, *a, *b);                                                \
    }
OF_TWO(vc_add_s8_s8_s16, vc_wide_sum, wide_sum, int8_t, int8_t, int16_t)
OF_TWO(vc_add_s8_s16_s8, vc_wide_sum, wide_sum, int8_t, int16_t, int8_t)
OF_TWO(vc_add_s8_s16_s16, vc_wide_sum, wide_sum, int8_t, int16_t, int16_t)
OF_TWO(vc_add_s16_s16_s8, vc_wide_sum, wide_sum, int16_t, int16_t, int8_t)
OF_TWO(vc_add_s16_s16_s16, vc_wide_sum, wide_sum, int16_t, int16_t, int16_t)
OF_TWO(vc_mul_s8_s8_s8, vc_product, product, int8_t, int8_t, int8_t)
OF_TWO(vc_mul_s8_s8_s16, vc_product, product, int8_t, int8_t, int16_t)
OF_TWO(vc_mul_s8_s16_s8, vc_product, product, int8_t, int16_t, int8_t)
OF_TWO(vc_mul_s8_s16_s16, vc_product, product, int8_t, int16_t, int16_t)
OF_TWO(vc_mul_s16_s16_s8, vc_product, product, int16_t, int16_t, int8_t)
OF_TWO(vc_mul_s16_s16_s16, vc_product, product, int16_t, int16_t, int16_t)

/* --- other scales --- */

VC_INLINE int32_t scaled(const vc_scale *scale, int32_t x)
{
    x -= scale->input_zero_point;
    x = x < 0 ? vc_q31(x, scale->multiplier_below, scale->shift_below) : vc_q31(x, scale->multiplier, scale->shift);
    return vc_clamp(x + scale->zero_point, scale->low, scale->high);
}

#define OF_ONE(NAME, IN, OUT)                                                                                                \
    void NAME(const vc_scale *scale, const IN *x, OUT *out, uint16_t n)                                                      \
    {                                                                                                                        \
        for (; n > 0; n--, x++, out++) *out = (OUT)scaled(scale, *x);                                                        \
    }
OF_ONE(vc_rescale_s8_s16, int8_t, int16_t)
OF_ONE(vc_rescale_s16_s8, int16_t, int8_t)
OF_ONE(vc_rescale_s16_s16, int16_t, int16_t)

/* --- tables --- */

#if defined(__AVR__)
void vc_table_s8_s8(vc_flash_t table, const int8_t *x, int8_t *out, uint16_t n)
{
    for (; n > 0; n--, x++, out++) *out = vc_flash_s8(table, (uint8_t)(*x + 128));
}

void vc_table_s8_s16(vc_flash_t table, const int8_t *x, int16_t *out, uint16_t n)
{
    for (; n > 0; n--, x++, out++) *out = vc_flash_s16(table, (uint8_t)(*x + 128));
}
#else
#define TABLE(WIDTH, TYPE)                                                                                                   \
    void vc_table_s8_##WIDTH(vc_flash_t table, const int8_t *x, TYPE *out, uint16_t n)                                       \
    {                                                                                                                        \
        const TYPE *const middle = (const TYPE *)table + 128;                                                                \
        for (; n >= 4; n = (uint16_t)(n - 4), x += 4, out += 4)                                                              \
            out[0] = middle[x[0]], out[1] = middle[x[1]], out[2] = middle[x[2]], out[3] = middle[x[3]];                      \
        for (; n > 0; n--) *out++ = middle[*x++];                                                                            \
    }
TABLE(s8, int8_t)
TABLE(s16, int16_t)
#endif

VC_INLINE int32_t interpolated(vc_flash_t table, uint8_t bits, int16_t x)
{
    const uint8_t fine = (uint8_t)(16 - bits);
    const uint16_t place = (uint16_t)((uint16_t)x ^ 0x8000u), index = (uint16_t)(place >> fine);
    const uint16_t fraction = (uint16_t)(place & (uint16_t)(((uint16_t)1 << fine) - 1));
    const int16_t from = vc_flash_s16(table, index);
    const int32_t rise = ((int32_t)vc_flash_s16(table, (uint16_t)(index + 1)) - from) * fraction;
    return from + ((rise + ((int32_t)1 << (fine - 1))) >> fine);
}

void vc_table_s16_s16(vc_flash_t table, uint8_t bits, const int16_t *x, int16_t *out, uint16_t n)
{
    for (; n > 0; n--, x++, out++) *out = (int16_t)interpolated(table, bits, *x);
}

void vc_table_s16_s8(vc_flash_t table, uint8_t bits, const int16_t *x, int8_t *out, uint16_t n)
{
    for (; n > 0; n--, x++, out++) *out = (int8_t)interpolated(table, bits, *x);
}

/* --- one scale --- */

#define ONE_SCALE(WIDTH, TYPE)                                                                                               \
    void vc_clamp_##WIDTH(const TYPE *x, TYPE low, TYPE high, TYPE *out, uint16_t n)                                         \
    {                                                                                                                        \
        for (; n > 0; n--, x++, out++) *out = *x < low ? low : *x > high ? high : *x;                                        \
    }                                                                                                                        \
    void vc_max_##WIDTH(const TYPE *a, const TYPE *b, TYPE *out, uint16_t n)                                                 \
    {                                                                                                                        \
        for (; n > 0; n--, a++, b++, out++) *out = *a > *b ? *a : *b;                                                        \
    }                                                                                                                        \
    void vc_fill_##WIDTH(TYPE *out, TYPE value, uint16_t n)                                                                  \
    {                                                                                                                        \
        for (; n > 0; n--) *out++ = value;                                                                                   \
    }
ONE_SCALE(s8, int8_t)
ONE_SCALE(s16, int16_t)
