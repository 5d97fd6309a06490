/* Integer kernels on rows: one time position of one tensor, `channels` contiguous values, s8 or s16.
 *
 * The numbers are those of export/c/reference/kernels.py, bit for bit. No kernel allocates, no kernel uses floating point. Names say
 * the widths: vc_conv_s8_s16_q31 reads s8, writes s16 and requantizes by q31. Unless said otherwise, `out` may be an input of
 * the same width (element by element kernels work in place) and n is the number of elements.
 *
 * requantization (x is an int32, s a shift, M a multiplier; >> rounds down):
 *   q31(x) = (x * M + 2^(s-1)) >> s in 64 bits, 0 <= M < 2^31, 1 <= s <= 62
 *   q15(x) = (y * M + 2^(s-1)) >> s in 32 bits, y = (x + 2^(p-1)) >> p (y = x for p = 0), |y| < 2^15, 0 <= M < 2^15, 1 <= s <= 30
 * The exporter proves for each layer that x and y fit.
 */
#ifndef VC_KERNELS_H
#define VC_KERNELS_H

#include "vc_flash.h"

/* --- convolutions: out[o] = clamp(zero_point + requantize(bias[o] + sum over tap, i of rows[tap][i] * weights[o][tap][i])) ---
 * rows: `taps` pointers to rows of `inputs` channels; a row outside the utterance is one filled with the input's zero point. `out`
 * must not be one of the rows. The input's zero point is folded into the bias: bias - zero_point * sum of the weights.
 * Where `groups` > 1, output o reads the inputs of group o / (outputs / groups) alone, inputs / groups of them, and `weights` has as many.
 */
typedef struct {
    vc_flash_t weights;    /* int8 [outputs][taps][inputs / groups] */
    vc_flash_t bias;       /* int32 [outputs] */
    vc_flash_t multiplier; /* M: int32 [outputs] for q31, int16 [outputs] for q15 */
    vc_flash_t shift;      /* s: uint8 [outputs] */
    uint16_t inputs;
    uint16_t outputs;
    uint16_t groups;
    uint8_t taps;
    uint8_t preshift; /* p, for q15 alone */
    int16_t zero_point;
    int16_t low; /* the clamp: -128 and 127, or -32768 and 32767, or narrower where a ReLU is folded in */
    int16_t high;
} vc_layer;

void vc_conv_s8_s8_q31(const vc_layer *layer, const int8_t *const *rows, int8_t *out);
void vc_conv_s8_s16_q31(const vc_layer *layer, const int8_t *const *rows, int16_t *out);
void vc_conv_s16_s8_q31(const vc_layer *layer, const int16_t *const *rows, int8_t *out);
void vc_conv_s16_s16_q31(const vc_layer *layer, const int16_t *const *rows, int16_t *out);
void vc_conv_s8_s8_q15(const vc_layer *layer, const int8_t *const *rows, int8_t *out);
void vc_conv_s8_s16_q15(const vc_layer *layer, const int8_t *const *rows, int16_t *out);
void vc_conv_s16_s8_q15(const vc_layer *layer, const int16_t *const *rows, int8_t *out);
void vc_conv_s16_s16_q15(const vc_layer *layer, const int16_t *const *rows, int16_t *out);

/* Depthwise: groups = inputs = outputs; the same memory layout, weights [outputs][taps]. */
void vc_depthwise_s8_s8_q31(const vc_layer *layer, const int8_t *const *rows, int8_t *out);
void vc_depthwise_s8_s16_q31(const vc_layer *layer, const int8_t *const *rows, int16_t *out);
void vc_depthwise_s16_s8_q31(const vc_layer *layer, const int16_t *const *rows, int8_t *out);
void vc_depthwise_s16_s16_q31(const vc_layer *layer, const int16_t *const *rows, int16_t *out);
void vc_depthwise_s8_s8_q15(const vc_layer *layer, const int8_t *const *rows, int8_t *out);
void vc_depthwise_s8_s16_q15(const vc_layer *layer, const int8_t *const *rows, int16_t *out);
void vc_depthwise_s16_s8_q15(const vc_layer *layer, const int16_t *const *rows, int8_t *out);
void vc_depthwise_s16_s16_q15(const vc_layer *layer, const int16_t *const *rows, int16_t *out);

/* --- sums: out = clamp((a * a_multiplier + b * b_multiplier + offset) >> shift) ---
 * `offset` holds both zero points, the rounding half and the output's zero point. A difference has a negative b_multiplier.
 * Where all three are s8 the multipliers have 16 bits and the sum has 32 (vc_sum); else 32 and 64 (vc_wide_sum).
 */
typedef struct {
    int32_t offset;
    int16_t a_multiplier;
    int16_t b_multiplier;
    int16_t low;
    int16_t high;
    uint8_t shift;
} vc_sum;

typedef struct {
    int64_t offset;
    int32_t a_multiplier;
    int32_t b_multiplier;
    int16_t low;
    int16_t high;
    uint8_t shift;
} vc_wide_sum;

void vc_add_s8_s8_s8(const vc_sum *sum, const int8_t *a, const int8_t *b, int8_t *out, uint16_t n);
void vc_add_s8_s8_s16(const vc_wide_sum *sum, const int8_t *a, const int8_t *b, int16_t *out, uint16_t n);
void vc_add_s8_s16_s8(const vc_wide_sum *sum, const int8_t *a, const int16_t *b, int8_t *out, uint16_t n);
void vc_add_s8_s16_s16(const vc_wide_sum *sum, const int8_t *a, const int16_t *b, int16_t *out, uint16_t n);
void vc_add_s16_s16_s8(const vc_wide_sum *sum, const int16_t *a, const int16_t *b, int8_t *out, uint16_t n);
void vc_add_s16_s16_s16(const vc_wide_sum *sum, const int16_t *a, const int16_t *b, int16_t *out, uint16_t n);

/* --- products: out = clamp(zero_point + q31((a - a_zero_point) * (b - b_zero_point))) --- */
typedef struct {
    int32_t multiplier;
    int16_t a_zero_point;
    int16_t b_zero_point;
    int16_t zero_point;
    int16_t low;
    int16_t high;
    uint8_t shift;
} vc_product;

void vc_mul_s8_s8_s8(const vc_product *product, const int8_t *a, const int8_t *b, int8_t *out, uint16_t n);
void vc_mul_s8_s8_s16(const vc_product *product, const int8_t *a, const int8_t *b, int16_t *out, uint16_t n);
void vc_mul_s8_s16_s8(const vc_product *product, const int8_t *a, const int16_t *b, int8_t *out, uint16_t n);
void vc_mul_s8_s16_s16(const vc_product *product, const int8_t *a, const int16_t *b, int16_t *out, uint16_t n);
void vc_mul_s16_s16_s8(const vc_product *product, const int16_t *a, const int16_t *b, int8_t *out, uint16_t n);
void vc_mul_s16_s16_s16(const vc_product *product, const int16_t *a, const int16_t *b, int16_t *out, uint16_t n);

/* --- other scales and widths: out = clamp(zero_point + q31(x - input_zero_point)), by the second multiplier below zero ---
 * The two are the same for a change of scale, and differ for LeakyReLU. s8 to s8 is a table.
 */
typedef struct {
    int32_t multiplier;
    int32_t multiplier_below;
    int16_t input_zero_point;
    int16_t zero_point;
    int16_t low;
    int16_t high;
    uint8_t shift;
    uint8_t shift_below;
} vc_scale;

void vc_rescale_s8_s16(const vc_scale *scale, const int8_t *x, int16_t *out, uint16_t n);
void vc_rescale_s16_s8(const vc_scale *scale, const int16_t *x, int8_t *out, uint16_t n);
void vc_rescale_s16_s16(const vc_scale *scale, const int16_t *x, int16_t *out, uint16_t n);

/* --- tables --- */
void vc_table_s8_s8(vc_flash_t table, const int8_t *x, int8_t *out, uint16_t n);   /* int8 [256], by x + 128 */
void vc_table_s8_s16(vc_flash_t table, const int8_t *x, int16_t *out, uint16_t n); /* int16 [256], by x + 128 */

/* 2^bits + 1 values of int16 at x = -32768, -32768 + 2^(16 - bits), ..., 32768 and straight lines between; 1 <= bits <= 12:
 * t[i] + (((t[i + 1] - t[i]) * f + half) >> (16 - bits)), i and f the upper and lower bits of x + 32768; the values differ by less than 2^15. */
void vc_table_s16_s16(vc_flash_t table, uint8_t bits, const int16_t *x, int16_t *out, uint16_t n);
void vc_table_s16_s8(vc_flash_t table, uint8_t bits, const int16_t *x, int8_t *out, uint16_t n); /* the values are within s8 */

/* --- one scale: clamp (ReLU), maximum, a constant --- */
void vc_clamp_s8(const int8_t *x, int8_t low, int8_t high, int8_t *out, uint16_t n);
void vc_clamp_s16(const int16_t *x, int16_t low, int16_t high, int16_t *out, uint16_t n);
void vc_max_s8(const int8_t *a, const int8_t *b, int8_t *out, uint16_t n);
void vc_max_s16(const int16_t *a, const int16_t *b, int16_t *out, uint16_t n);
void vc_fill_s8(int8_t *out, int8_t value, uint16_t n);
void vc_fill_s16(int16_t *out, int16_t value, uint16_t n);

#endif
