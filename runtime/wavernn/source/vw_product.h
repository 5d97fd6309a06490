/* Matrix times vector, 8-bit integers: panels of 16 rows, each a list of blocks of 16 rows x 4 columns, 64 bytes in the order row, column.
 * A sparse matrix lists the four columns of each of its blocks; whatever is not listed is zero. All ways give the same sums. */
#ifndef VW_PRODUCT_H
#define VW_PRODUCT_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
#include <immintrin.h>
#define VW_KERNEL "avx512-vnni"
#elif defined(__AVX2__)
#include <immintrin.h>
#define VW_KERNEL "avx2"
#elif defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
#define VW_KERNEL "neon-dotprod"
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#define VW_KERNEL "neon"
#else
#define VW_KERNEL "plain"
#endif

#define VW_ROWS 16
#define VW_BLOCK 64

typedef struct {
    const int8_t *weights;     /* 64 bytes a block */
    const int32_t *starts;     /* panel -> its first block; one entry more than panels */
    const uint16_t *columns;   /* 4 a block, or null where the blocks of a panel are all columns in order */
    const int32_t *bias;       /* rows, padded to panels; for inputs from 0 to 255 */
    const int32_t *bias_signed; /* the same for inputs less 128 */
    const int32_t *multiplier; /* rows, padded */
    int32_t panels, shift;
} vw_product;

/* One panel: `blocks` blocks, x: the four inputs of each, one block after the other. */
#if defined(__AVX512VNNI__) && defined(__AVX512BW__)

static inline __m512i vw_four(const uint8_t *x)
{
    int32_t four;
    memcpy(&four, x, 4);
    return _mm512_set1_epi32(four);
}

static void vw_panel(const int8_t *w, const uint8_t *x, int32_t blocks, const int32_t *bias, int32_t *out)
{
    __m512i a = _mm512_loadu_si512(bias), b = _mm512_setzero_si512(), c = b, d = b;
    int32_t i = 0;
    for (; i + 4 <= blocks; i += 4, w += 4 * VW_BLOCK, x += 16) { /* four sums, for each waits for its last product */
        a = _mm512_dpbusd_epi32(a, vw_four(x), _mm512_loadu_si512(w));
        b = _mm512_dpbusd_epi32(b, vw_four(x + 4), _mm512_loadu_si512(w + VW_BLOCK));
        c = _mm512_dpbusd_epi32(c, vw_four(x + 8), _mm512_loadu_si512(w + 2 * VW_BLOCK));
        d = _mm512_dpbusd_epi32(d, vw_four(x + 12), _mm512_loadu_si512(w + 3 * VW_BLOCK));
    }
    for (; i < blocks; i++, w += VW_BLOCK, x += 4)
        a = _mm512_dpbusd_epi32(a, vw_four(x), _mm512_loadu_si512(w));
    _mm512_storeu_si512(out, _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d)));
}

#elif defined(__AVX2__)

static void vw_panel(const int8_t *w, const uint8_t *x, int32_t blocks, const int32_t *bias, int32_t *out)
{
    __m256i sums[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
    for (int32_t i = 0; i < blocks; i++, w += VW_BLOCK, x += 4) {
        int32_t four;
        memcpy(&four, x, 4);
        __m256i inputs = _mm256_cvtepu8_epi16(_mm_set1_epi32(four)); /* 16 bits each: pair sums of 8-bit products would saturate */
        for (int k = 0; k < 4; k++) {
            __m256i rows = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(w + 16 * k)));
            sums[k] = _mm256_add_epi32(sums[k], _mm256_madd_epi16(inputs, rows)); /* four rows, two sums each */
        }
    }
    for (int k = 0; k < 4; k += 2) { /* pairs are added within the halves of a register, which puts rows 0 1 4 5 beside 2 3 6 7 */
        __m256i eight = _mm256_permute4x64_epi64(_mm256_hadd_epi32(sums[k], sums[k + 1]), 0xD8);
        _mm256_storeu_si256((__m256i *)(out + 4 * k), _mm256_add_epi32(eight, _mm256_loadu_si256((const __m256i *)(bias + 4 * k))));
    }
}

#elif defined(__ARM_FEATURE_DOTPROD)
#define VW_SIGNED 1

static void vw_panel(const int8_t *w, const uint8_t *x, int32_t blocks, const int32_t *bias, int32_t *out)
{
    int32x4_t sums[4] = {vld1q_s32(bias), vld1q_s32(bias + 4), vld1q_s32(bias + 8), vld1q_s32(bias + 12)};
    for (int32_t i = 0; i < blocks; i++, w += VW_BLOCK, x += 4) {
        int32_t four;
        memcpy(&four, x, 4);
        int8x16_t inputs = vreinterpretq_s8_s32(vdupq_n_s32(four));
        for (int k = 0; k < 4; k++)
            sums[k] = vdotq_s32(sums[k], vld1q_s8(w + 16 * k), inputs);
    }
    for (int k = 0; k < 4; k++)
        vst1q_s32(out + 4 * k, sums[k]);
}

#elif defined(__ARM_NEON) && defined(__aarch64__)
#define VW_SIGNED 1

static void vw_panel(const int8_t *w, const uint8_t *x, int32_t blocks, const int32_t *bias, int32_t *out)
{
    int32x4_t sums[8];
    for (int k = 0; k < 8; k++)
        sums[k] = vdupq_n_s32(0);
    for (int32_t i = 0; i < blocks; i++, w += VW_BLOCK, x += 4) {
        int32_t four;
        memcpy(&four, x, 4);
        int8x8_t inputs = vreinterpret_s8_s32(vdup_n_s32(four));
        for (int k = 0; k < 8; k++) /* two rows, two sums each */
            sums[k] = vpadalq_s16(sums[k], vmull_s8(vld1_s8(w + 8 * k), inputs));
    }
    for (int k = 0; k < 4; k++)
        vst1q_s32(out + 4 * k, vaddq_s32(vpaddq_s32(sums[2 * k], sums[2 * k + 1]), vld1q_s32(bias + 4 * k)));
}

#else

static void vw_panel(const int8_t *w, const uint8_t *x, int32_t blocks, const int32_t *bias, int32_t *out)
{
    int32_t sums[VW_ROWS];
    memcpy(sums, bias, sizeof sums);
    for (int32_t i = 0; i < blocks; i++, w += VW_BLOCK, x += 4)
        for (int r = 0; r < VW_ROWS; r++)
            sums[r] += w[4 * r] * x[0] + w[4 * r + 1] * x[1] + w[4 * r + 2] * x[2] + w[4 * r + 3] * x[3];
    memcpy(out, sums, sizeof sums);
}

#endif

#ifdef VW_SIGNED
#define VW_FLIP 0x80
#define VW_BIAS bias_signed
#else
#define VW_FLIP 0
#define VW_BIAS bias
#endif

/* x: inputs from 0 to 255, padded with anything to a multiple of four, not more than VW_MOST; sums: 16 panels. */
static void vw_multiply(const vw_product *p, const uint8_t *x, uint8_t *picked, int32_t *sums)
{
    const int32_t *bias = p->VW_BIAS;
    for (int32_t i = 0; i < p->panels; i++, bias += VW_ROWS, sums += VW_ROWS) {
        int32_t first = p->starts[i], blocks = p->starts[i + 1] - first;
        const uint8_t *inputs = x;
        if (p->columns) {
            const uint16_t *columns = p->columns + 4 * first;
            for (int32_t k = 0; k < blocks; k++, columns += 4) { /* four at once: a word that was just stored by bytes is slow to load */
                uint32_t four = x[columns[0]] | (uint32_t)x[columns[1]] << 8 | (uint32_t)x[columns[2]] << 16 | (uint32_t)x[columns[3]] << 24;
                memcpy(picked + 4 * k, &four, 4);
            }
            inputs = picked;
        }
        vw_panel(p->weights + (int64_t)VW_BLOCK * first, inputs, blocks, bias, sums);
    }
}

#endif
