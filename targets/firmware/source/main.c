/* Test program: feeds a mel that lies in flash to the vocoder and prints what comes out.
 *
 * "s" and four hex digits a sample, a line for each call; then "crc" (CRC-32 of all samples, little-endian), "samples", "stack", "left", "end".
 * A mark stands before and after vc_init, and before and after each call of vc_push and vc_flush.
 */
#include "board.h"
#include "vcompress.h"

#ifndef MEL_FRAMES
#error "MEL_FRAMES: how many frames the mel in flash has"
#endif

static vc_mel_t mel[VC_MELS];
static int16_t out[VC_MAX_SAMPLES];
static uint32_t crc = 0xFFFFFFFFu, samples;

static void put_hex(uint32_t value, uint8_t digits)
{
    static char text[9];
    text[digits] = 0;
    while (digits) {
        uint8_t digit = (uint8_t)(value & 15u);
        text[--digits] = (char)(digit < 10 ? '0' + digit : 'a' + digit - 10);
        value >>= 4;
    }
    board_put(text);
}

static void put_figure(const char *name, uint32_t value)
{
    board_put(name);
    put_hex(value, 8);
    board_put("\n");
}

static void count_byte(uint8_t byte)
{
    crc ^= byte;
    for (uint8_t bit = 0; bit < 8; bit++)
        crc = (crc >> 1) ^ (crc & 1u ? 0xEDB88320u : 0u);
}

static void put_samples(int count)
{
    board_put("s");
    for (int i = 0; i < count; i++) {
        uint16_t sample = (uint16_t)out[i];
        count_byte((uint8_t)(sample & 0xFFu));
        count_byte((uint8_t)(sample >> 8));
        put_hex(sample, 4);
    }
    board_put("\n");
    samples += (uint32_t)count;
}

int main(void)
{
    int count;
    board_init();
    board_mark();
    vc_init();
    board_mark();
    for (uint32_t frame = 0; frame < MEL_FRAMES; frame++) {
        board_mel(frame * sizeof mel, mel, sizeof mel);
        board_mark();
        count = vc_push(mel, out);
        board_mark();
        put_samples(count);
    }
    do {
        board_mark();
        count = vc_flush(out);
        board_mark();
        put_samples(count);
    } while (count > 0);
    put_figure("crc ", ~crc);
    put_figure("samples ", samples);
    put_figure("stack ", board_stack());
    put_figure("left ", board_stack_left());
    board_put("end\n");
    board_end();
    return 0;
}
