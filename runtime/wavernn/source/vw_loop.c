/* WaveRNN's loop in integers, sample by sample. The twin in numpy is reference.py; both give the same samples to the bit. */
#include "vw_product.h"

#define CENTRE 128
#define LIMIT 32767

typedef struct {
    vw_product recurrent, input, hidden, logits;
} vw_half;

typedef struct {
    vw_half halves[2];      /* coarse, fine */
    const int16_t *sigmoid; /* of a gate's argument + 32768, in steps of 2^-15 */
    const int16_t *tanh;
    const uint32_t *weights; /* of a draw, by how far a logit is below the highest */
    int32_t units, farthest; /* units of a half; last entry of the table of weights */
} vw_steps;

/* What goes from one call to the next: state of all units, symbols of the sample before, words that were drawn. */
typedef struct {
    int16_t *state;
    uint64_t seed, position;
    int32_t high, low;
} vw_cursor;

/* Room for the largest vector of a network in each type, rows padded to panels. */
typedef struct {
    int32_t *sums;
    int16_t *recurrent, *given;
    uint8_t *state, *narrow, *picked;
} vw_room;

const char *vw_kernel(void)
{
    return VW_KERNEL;
}

static inline int32_t clamp(int32_t x, int32_t low, int32_t high)
{
    return x < low ? low : x > high ? high : x;
}

static inline int32_t halved(int32_t x, int bits) /* x / 2^bits, to nearest, ties to even */
{
    return (x + (1 << (bits - 1)) - 1 + ((x >> bits) & 1)) >> bits;
}

static void narrow(const int16_t *state, int32_t count, uint8_t *out)
{
    for (int32_t i = 0; i < count; i++) {
        int32_t y = halved(state[i], 8);
        out[i] = (uint8_t)(((y > 127 ? 127 : y) + CENTRE) ^ VW_FLIP);
    }
}

static inline int64_t scaled(int32_t sum, int32_t multiplier, int shift)
{
    return ((int64_t)sum * multiplier + ((int64_t)1 << (shift - 1))) >> shift;
}

static void requantize(const vw_product *p, const int32_t *restrict sums, int16_t *restrict out)
{
    const int32_t *restrict multiplier = p->multiplier;
    const int shift = p->shift;
    for (int32_t i = 0; i < p->panels * VW_ROWS; i++) {
        int64_t y = scaled(sums[i], multiplier[i], shift);
        out[i] = (int16_t)(y < -LIMIT ? -LIMIT : y > LIMIT ? LIMIT : y);
    }
}

/* Loops of their own, over what does not overlap, so that the compiler makes vectors of them. */
static void add(int16_t *restrict x, const int16_t *restrict y, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        x[i] = (int16_t)clamp(x[i] + y[i], -LIMIT, LIMIT);
}

static void look_up(const int16_t *restrict table, int16_t *restrict x, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        x[i] = table[x[i] + 32768];
}

static void reset(const int16_t *restrict gate, const int16_t *restrict recurrent, int16_t *restrict x, int32_t count)
{
    for (int32_t i = 0; i < count; i++) /* what the candidate takes of the state, and what it is given */
        x[i] = (int16_t)clamp(halved(gate[i] * recurrent[i], 15) + x[i], -LIMIT, LIMIT);
}

static void blend(const int16_t *restrict update, const int16_t *restrict candidate, int16_t *restrict own, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        own[i] = (int16_t)halved(update[i] * own[i] + (32768 - update[i]) * candidate[i], 15);
}

static uint64_t word(uint64_t seed, uint64_t index) /* SplitMix64 by position, as runtime/random.py */
{
    uint64_t z = seed + index * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static int32_t draw(const vw_steps *n, const int16_t *logits, uint64_t random)
{
    uint32_t weights[256], total = 0, below, sum = 0;
    int32_t most = logits[0];
    for (int i = 1; i < 256; i++)
        most = logits[i] > most ? logits[i] : most;
    for (int i = 0; i < 256; i++) {
        int32_t under = most - logits[i];
        weights[i] = n->weights[under > n->farthest ? n->farthest : under];
        total += weights[i];
    }
    below = (uint32_t)((random >> 32) * total >> 32);
    for (int i = 0;; i++)
        if ((sum += weights[i]) > below)
            return i;
}

static int32_t half_step(const vw_steps *n, const vw_half *h, int16_t *own, const int32_t *seen, int symbols, const int16_t *condition, uint64_t random,
                         const vw_room *room)
{
    const int32_t units = n->units;
    int16_t *recurrent = room->recurrent, *given = room->given;
    uint8_t bytes[4] = {0, 0, 0, 0};
    for (int i = 0; i < symbols; i++)
        bytes[i] = (uint8_t)(seen[i] ^ VW_FLIP);
    vw_multiply(&h->recurrent, room->state, room->picked, room->sums);
    requantize(&h->recurrent, room->sums, recurrent);
    vw_multiply(&h->input, bytes, room->picked, room->sums);
    requantize(&h->input, room->sums, given);
    add(given, condition, 3 * units);
    add(recurrent, given, 2 * units);
    look_up(n->sigmoid, recurrent, 2 * units);
    reset(recurrent + units, recurrent + 2 * units, given + 2 * units, units);
    look_up(n->tanh, given + 2 * units, units);
    blend(recurrent, given + 2 * units, own, units);
    narrow(own, units, room->narrow);
    vw_multiply(&h->hidden, room->narrow, room->picked, room->sums);
    requantize(&h->hidden, room->sums, recurrent);
    for (int32_t i = 0; i < h->hidden.panels * VW_ROWS; i++)
        room->narrow[i] = (uint8_t)(clamp(recurrent[i], 0, 255) ^ VW_FLIP);
    vw_multiply(&h->logits, room->narrow, room->picked, room->sums);
    requantize(&h->logits, room->sums, given);
    return draw(n, given, random);
}

/* Conditions of `frames` frames, 3 units each of either half -> frames x hop samples. */
void vw_generate(const vw_steps *n, vw_cursor *c, const vw_room *room, const int16_t *coarse, const int16_t *fine, int32_t frames, int32_t hop, int16_t *out)
{
    int32_t seen[3] = {c->high, c->low, 0};
    for (int32_t f = 0; f < frames; f++, coarse += 3 * n->units, fine += 3 * n->units)
        for (int32_t t = 0; t < hop; t++) {
            narrow(c->state, 2 * n->units, room->state); /* of all units, before either half is renewed */
            int32_t high = half_step(n, &n->halves[0], c->state, seen, 2, coarse, word(c->seed, ++c->position), room);
            seen[2] = high;
            int32_t low = half_step(n, &n->halves[1], c->state + n->units, seen, 3, fine, word(c->seed, ++c->position), room);
            seen[0] = high;
            seen[1] = low;
            *out++ = (int16_t)(256 * high + low - 32768);
        }
    c->high = seen[0];
    c->low = seen[1];
}
