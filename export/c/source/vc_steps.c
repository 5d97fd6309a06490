/* Constants out of flash, and rows out of rings. */
#include "vc_steps.h"

#include <stddef.h>
#include <string.h>

void vc_read(void *to, vc_flash_t from, uint16_t size)
{
#if defined(__AVR__)
    uint8_t *bytes = (uint8_t *)to;
    for (; size > 0; size--, from++) *bytes++ = VC_READ_8(from);
#else
    memcpy(to, from, size);
#endif
}

static vc_flash_t behind(vc_flash_t at, uint32_t bytes)
{
#if defined(__AVR__)
    return (vc_flash_t)(at + bytes);
#else
    return (const uint8_t *)at + bytes;
#endif
}

static void read_layer(vc_layer *layer, vc_flash_t at, uint32_t multipliers_bytes)
{
    vc_layer_head head;
    vc_read(&head, at, sizeof head);
    layer->inputs = head.inputs;
    layer->outputs = head.outputs;
    layer->groups = head.groups;
    layer->taps = head.taps;
    layer->preshift = head.preshift;
    layer->zero_point = head.zero_point;
    layer->low = head.low;
    layer->high = head.high;
    layer->bias = behind(at, sizeof head);
    layer->multiplier = behind(layer->bias, 4ul * head.outputs);
    layer->weights = behind(layer->multiplier, multipliers_bytes * head.outputs + (multipliers_bytes == 2 && head.outputs % 2 ? 2u : 0u));
    layer->shift = behind(layer->weights, head.weights_bytes);
}

void vc_read_layer_q31(vc_layer *layer, vc_flash_t at) { read_layer(layer, at, 4); }

void vc_read_layer_q15(vc_layer *layer, vc_flash_t at) { read_layer(layer, at, 2); }

void vc_taps_s8(const int8_t **taps, const vc_ring *ring, uint16_t count, uint16_t back, uint16_t dilation, int8_t *outside, int8_t zero_point, uint16_t channels)
{
    const int8_t *rows = (const int8_t *)ring->rows;
    uint8_t filled = 0;
    for (; count > 0; count--, back = (uint16_t)(back - dilation)) {
        if (vc_inside(ring->newest - back, ring->end)) {
            *taps++ = rows + (size_t)vc_position(ring->at, back, ring->capacity) * ring->stride;
        } else {
            if (!filled) vc_fill_s8(outside, zero_point, channels);
            filled = 1;
            *taps++ = outside;
        }
    }
}

void vc_taps_s16(const int16_t **taps, const vc_ring *ring, uint16_t count, uint16_t back, uint16_t dilation, int16_t *outside, uint16_t channels)
{
    const int16_t *rows = (const int16_t *)ring->rows;
    uint8_t filled = 0;
    for (; count > 0; count--, back = (uint16_t)(back - dilation)) {
        if (vc_inside(ring->newest - back, ring->end)) {
            *taps++ = rows + (size_t)vc_position(ring->at, back, ring->capacity) * ring->stride;
        } else {
            if (!filled) vc_fill_s16(outside, 0, channels);
            filled = 1;
            *taps++ = outside;
        }
    }
}
