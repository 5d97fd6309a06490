/* Inverse STFT with overlap-add in integers, a frame at a time; the numbers are those of export/c/reference/istft.py.
 *
 *   static const int16_t sine[129] VC_PROGMEM = {...}, window[256] VC_PROGMEM = {...};
 *   static int32_t work[512], overlap[256];                       (overlap: zeros at the start of an utterance)
 *   const vc_istft istft = {VC_FLASH(sine), VC_FLASH(window), ...};
 *   vc_istft_frame(&istft, log_magnitude, direction, work, overlap, pcm);
 *
 * Frame t completes the block of samples that begins hop_length (t - n_fft / hop_length / 2) samples into the utterance. So the first n_fft / hop_length / 2
 * blocks lie before the utterance and are thrown away, and after the last frame as many come from vc_istft_tail.
 */
#ifndef VC_ISTFT_H
#define VC_ISTFT_H

#include "vc_flash.h"

typedef struct {
    vc_flash_t sine;        /* int16 [n_fft / 4 + 1]: 2^15 sin(2 pi k / n_fft) */
    vc_flash_t window;      /* int16 [n_fft / 2]: the first half of the synthesis window, times 2^15 */
    uint32_t shortest;      /* square of the shortest direction that keeps its magnitude, 1 to 2^31 - 1 */
    int16_t log_multiplier; /* log2 of a magnitude times 2^16 is (log_magnitude * log_multiplier) >> log_shift */
    uint8_t log_shift;
    uint8_t log2_n_fft; /* 3 to 14 */
    uint16_t hop_length; /* n_fft / 2, n_fft / 4, ... */
} vc_istft;

/* log_magnitude: n_fft / 2 + 1 values; direction: as many cosines, then as many sines; work: n_fft; overlap: n_fft - hop_length, kept between calls;
 * out: hop_length samples of the block that this frame completes. */
void vc_istft_frame(const vc_istft *istft, const int16_t *log_magnitude, const int16_t *direction, int32_t *work, int32_t *overlap, int16_t *out);

/* The next block where no frame follows. */
void vc_istft_tail(const vc_istft *istft, int32_t *overlap, int16_t *out);

#endif
