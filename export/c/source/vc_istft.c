#include "vc_istft.h"

#include "vc_fixed_point.h"

/* 2^15 2^(i / 64) */
static const uint16_t powers[65] VC_PROGMEM = {
    32768, 33125, 33486, 33850, 34219, 34591, 34968, 35349, 35734, 36123, 36516, 36914, 37316, 37722, 38133, 38548,
    38968, 39392, 39821, 40255, 40693, 41136, 41584, 42037, 42495, 42958, 43425, 43898, 44376, 44859, 45348, 45842,
    46341, 46846, 47356, 47871, 48393, 48920, 49452, 49991, 50535, 51085, 51642, 52204, 52773, 53347, 53928, 54515,
    55109, 55709, 56316, 56929, 57549, 58176, 58809, 59449, 60097, 60751, 61413, 62081, 62757, 63441, 64132, 64830,
    65535,
};

/* 2^16 / sqrt(1 + i / 32) */
static const uint16_t roots[97] VC_PROGMEM = {
    65535, 64535, 63579, 62664, 61788, 60947, 60140, 59364, 58617, 57898, 57205, 56535, 55889, 55265, 54661, 54076,
    53510, 52961, 52429, 51912, 51411, 50923, 50450, 49989, 49541, 49104, 48679, 48265, 47861, 47467, 47082, 46707,
    46341, 45983, 45633, 45292, 44957, 44630, 44310, 43997, 43691, 43390, 43096, 42808, 42525, 42248, 41977, 41710,
    41449, 41192, 40940, 40693, 40450, 40211, 39977, 39746, 39520, 39297, 39078, 38863, 38651, 38443, 38238, 38036,
    37837, 37642, 37449, 37260, 37073, 36889, 36708, 36529, 36353, 36179, 36008, 35840, 35673, 35509, 35347, 35188,
    35030, 34875, 34722, 34571, 34421, 34274, 34128, 33985, 33843, 33703, 33564, 33427, 33292, 33159, 33027, 32897,
    32768,
};

VC_INLINE uint16_t between(vc_flash_t table, uint8_t index, uint16_t fraction)
{
    const uint16_t from = vc_flash_u16(table, index);
    const int16_t rise = (int16_t)(vc_flash_u16(table, (uint16_t)(index + 1)) - from);
    return (uint16_t)(from + (uint16_t)((int16_t)(((int32_t)rise * (int16_t)fraction) >> 8) >> 2)); /* the product has 21 bits */
}

/* --- one bin, 30 - 2 log2(n_fft) fractional bits --- */

static void bin_of(const vc_istft *istft, const int16_t *log_magnitude, const int16_t *direction, uint16_t half, uint16_t k, int32_t *real, int32_t *imaginary)
{
    const int16_t c = direction[k], s = direction[half + 1 + k];
    const int32_t loudest = (int32_t)istft->log2_n_fft << 16;
    int32_t logarithm = ((int32_t)log_magnitude[k] * istft->log_multiplier) >> istft->log_shift;
    uint32_t square = (uint32_t)((int32_t)c * c) + (uint32_t)((int32_t)s * s) + istft->shortest;
    uint8_t free = 16, shift;
    uint16_t upper, root, magnitude, fraction;
    int16_t x, y; /* the direction, of length one */

    for (; square < (uint32_t)1 << 30; square <<= 2) free--;
    upper = (uint16_t)(square >> 16);
    root = between(VC_FLASH(roots), (uint8_t)((upper >> 9) - 32), (uint16_t)(2 * (upper & 0x1FFu) + (square >> 15 & 1)));
    x = (int16_t)vc_clamp(vc_halved((int32_t)c * root, free), -32767, 32767);
    y = (int16_t)vc_clamp(vc_halved((int32_t)s * root, free), -32767, 32767);

    if (logarithm > loudest) logarithm = loudest;
    if ((2 * istft->log2_n_fft) - (logarithm >> 16) > 31) {
        *real = *imaginary = 0;
        return;
    }
    shift = (uint8_t)(2 * istft->log2_n_fft - (logarithm >> 16));
    fraction = (uint16_t)logarithm;
    magnitude = between(VC_FLASH(powers), (uint8_t)(fraction >> 10), fraction & 0x3FFu);
    *real = vc_halved((int32_t)x * magnitude, shift);
    *imaginary = k == 0 || k == half ? 0 : vc_halved((int32_t)y * magnitude, shift);
    if (k & 1) *real = -*real, *imaginary = -*imaginary;
}

/* --- inverse FFT --- */

typedef struct {
    int16_t cosine;
    int16_t sine;
} turn;

/* of 2 pi steps / n_fft, below half a turn */
VC_INLINE turn turn_of(const vc_istft *istft, uint16_t quarter, uint16_t steps)
{
    turn w;
    if (steps <= quarter) {
        w.cosine = vc_flash_s16(istft->sine, (uint16_t)(quarter - steps));
        w.sine = vc_flash_s16(istft->sine, steps);
    } else {
        w.cosine = (int16_t)-vc_flash_s16(istft->sine, (uint16_t)(steps - quarter));
        w.sine = vc_flash_s16(istft->sine, (uint16_t)(2 * quarter - steps));
    }
    return w;
}

VC_INLINE uint16_t reversed(uint16_t i, uint8_t bits)
{
    uint16_t r = 0;
    for (; bits > 0; bits--, i >>= 1) r = (uint16_t)(2u * r + (i & 1u));
    return r;
}

/* the bins as n_fft / 2 complex numbers z, in bit-reversed order, whose inverse FFT is the frame's even samples + i its odd ones */
static void gather(const vc_istft *istft, const int16_t *log_magnitude, const int16_t *direction, int32_t *z)
{
    const uint8_t bits = (uint8_t)(istft->log2_n_fft - 1);
    const uint16_t points = (uint16_t)(1u << bits);
    uint16_t k;
    for (k = 0; k <= points / 2; k++) {
        int32_t a, b, c, d, even_real, even_imaginary, difference_real, difference_imaginary, odd_real, odd_imaginary;
        int32_t *at = z + 2 * reversed(k, bits);
        bin_of(istft, log_magnitude, direction, points, k, &a, &b);
        bin_of(istft, log_magnitude, direction, points, (uint16_t)(points - k), &c, &d);
        even_real = a + c, even_imaginary = b - d;
        difference_real = a - c, difference_imaginary = b + d;
        if (k == 0) {
            odd_real = difference_real, odd_imaginary = difference_imaginary;
        } else if (k == points / 2) {
            odd_real = -difference_imaginary, odd_imaginary = difference_real;
        } else {
            const turn w = turn_of(istft, points / 2, k);
            odd_real = vc_times(difference_real, w.cosine) - vc_times(difference_imaginary, w.sine);
            odd_imaginary = vc_times(difference_real, w.sine) + vc_times(difference_imaginary, w.cosine);
        }
        at[0] = even_real - odd_imaginary;
        at[1] = even_imaginary + odd_real;
        if (k > 0) {
            at = z + 2 * reversed((uint16_t)(points - k), bits);
            at[0] = even_real + odd_imaginary;
            at[1] = odd_real - even_imaginary;
        }
    }
}

/* (a, b) -> (a + b, a - b) of complex numbers, b given */
VC_INLINE void butterfly(int32_t *a, int32_t *b, int32_t real, int32_t imaginary)
{
    b[0] = a[0] - real, b[1] = a[1] - imaginary;
    a[0] += real, a[1] += imaginary;
}

static void transform(const vc_istft *istft, int32_t *z)
{
    const uint16_t values = (uint16_t)(1u << istft->log2_n_fft); /* two for each point */
    uint16_t length, j, steps;
    int32_t *at;
    for (at = z; at < z + values; at += 8) { /* the turns of lengths 2 and 4 are none and a quarter */
        butterfly(at, at + 2, at[2], at[3]);
        butterfly(at + 4, at + 6, at[6], at[7]);
        butterfly(at, at + 4, at[4], at[5]);
        butterfly(at + 2, at + 6, -at[7], at[6]);
    }
    for (length = 8, steps = values / 8; length < values; length = (uint16_t)(length * 2), steps /= 2) {
        for (j = 0; j < length / 2; j++) { /* `length` values are half of this stage's, length / 2 points */
            const turn w = turn_of(istft, values / 4, (uint16_t)(j * steps));
            for (at = z + 2 * j; at < z + values; at += 2 * length) {
                int32_t *b = at + length;
                if (j == 0)
                    butterfly(at, b, b[0], b[1]);
                else if (j == length / 4)
                    butterfly(at, b, -b[1], b[0]);
                else
                    butterfly(at, b, vc_times(b[0], w.cosine) - vc_times(b[1], w.sine), vc_times(b[0], w.sine) + vc_times(b[1], w.cosine));
            }
        }
    }
}

/* --- window and overlap-add --- */

/* both halves, which are alike */
static void apply_window(const vc_istft *istft, int32_t *work, uint16_t half)
{
    int32_t *from_start = work, *from_end = work + 2 * half - 1;
    uint16_t i;
    for (i = 0; i < half; i++, from_start++, from_end--) {
        const int16_t weight = vc_flash_s16(istft->window, i);
        *from_start = vc_times(*from_start, weight);
        *from_end = vc_times(*from_end, weight);
    }
}

VC_INLINE int16_t sample(const vc_istft *istft, int32_t sum) { return (int16_t)vc_clamp(vc_halved(sum, (uint8_t)(15 - istft->log2_n_fft)), -32768, 32767); }

void vc_istft_frame(const vc_istft *istft, const int16_t *log_magnitude, const int16_t *direction, int32_t *work, int32_t *overlap, int16_t *out)
{
    const uint16_t hop = istft->hop_length, half = (uint16_t)(1u << (istft->log2_n_fft - 1)), kept = (uint16_t)(2 * half - hop);
    uint16_t i;
    gather(istft, log_magnitude, direction, work);
    transform(istft, work);
    apply_window(istft, work, half);
    for (i = 0; i < hop; i++) out[i] = sample(istft, overlap[i] + work[i]);
    for (i = 0; i < kept; i++) overlap[i] = (i + hop < kept ? overlap[i + hop] : 0) + work[i + hop];
}

void vc_istft_tail(const vc_istft *istft, int32_t *overlap, int16_t *out)
{
    const uint16_t hop = istft->hop_length, kept = (uint16_t)((1u << istft->log2_n_fft) - hop);
    uint16_t i;
    for (i = 0; i < hop; i++) out[i] = sample(istft, overlap[i]);
    for (i = 0; i < kept; i++) overlap[i] = i + hop < kept ? overlap[i + hop] : 0;
}
