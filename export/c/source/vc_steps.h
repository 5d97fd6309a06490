/* What the steps of a network share: their constants out of flash, and rows out of rings.
 *
 * Time is counted in rows since the start of the utterance, for each rate by itself. A ring holds the newest rows of a tensor; row t lies at position
 * t modulo `capacity`, but for a constant that all rows share. Where an utterance has no row, before its start and after its end, a row of zero
 * points stands for it.
 */
#ifndef VC_STEPS_H
#define VC_STEPS_H

#include "vc_kernels.h"

typedef int32_t vc_time;
#define VC_ENDLESS ((vc_time)0x3fffffff) /* the end of an utterance that has not ended: 18 hours at 16 kHz */

/* Whether a tensor has a row t, which lies before `end`. */
static inline uint8_t vc_inside(vc_time t, vc_time end) { return t >= 0 && t < end; }

/* Size bytes of flash into memory. */
void vc_read(void *to, vc_flash_t from, uint16_t size);

/* A layer as it lies in flash: this, then bias int32 [outputs], multiplier int32 [outputs] (q15: int16, an even number of them),
 * weights int8 (a multiple of four), shift uint8 [outputs]. */
typedef struct {
    uint32_t weights_bytes; /* with what makes it a multiple of four */
    uint16_t inputs, outputs, groups;
    uint8_t taps, preshift;
    int16_t zero_point, low, high, unused;
} vc_layer_head;

void vc_read_layer_q31(vc_layer *layer, vc_flash_t at);
void vc_read_layer_q15(vc_layer *layer, vc_flash_t at);

/* The rows of a tensor. rows: the first in memory; stride: elements from one to the next; at: position of the newest; newest: its number;
 * end: how many rows the tensor has, once that is known. */
typedef struct {
    const void *rows;
    uint16_t stride, capacity, at;
    vc_time newest, end;
} vc_ring;

/* Where the row lies that is `back` rows older than the one at position `at`. */
static inline uint16_t vc_position(uint16_t at, uint16_t back, uint16_t capacity) { return (uint16_t)(at >= back ? at - back : at + capacity - back); }

/* Pointers to `taps` rows, the first `back` rows older than the newest, each next one `dilation` rows newer. outside: room for a row of `channels`
 * zero points, filled where it is needed. */
void vc_taps_s8(const int8_t **taps, const vc_ring *ring, uint16_t count, uint16_t back, uint16_t dilation, int8_t *outside, int8_t zero_point, uint16_t channels);
void vc_taps_s16(const int16_t **taps, const vc_ring *ring, uint16_t count, uint16_t back, uint16_t dilation, int16_t *outside, uint16_t channels);

#endif
