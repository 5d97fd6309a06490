/* Start-up of a Cortex-M without a library: vectors, variables, a painted stack. What the board itself does is in its board_*.c. */
#include "board.h"

extern uint32_t data_in_flash, data_start, data_end, bss_start, bss_end, stack_top; /* from cortex_m.ld */
extern const uint8_t mel_in_flash;
int main(void);

static void fault(void)
{
    board_put("fault\n");
    board_end();
}

void reset(void)
{
    uint32_t *from = &data_in_flash;
    for (uint32_t *to = &data_start; to < &data_end; to++)
        *to = *from++;
    for (uint32_t *to = &bss_start; to < &bss_end; to++)
        *to = 0;
    uint32_t *own = __builtin_frame_address(0);
    for (uint32_t *to = &bss_end; to < own - 8; to++) /* the words of this function's own stack stay */
        *to = STACK_PAINT * 0x01010101u;
    main();
    board_end();
}

typedef void (*vector)(void);
__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    (vector)&stack_top, reset, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault,
};

void board_mel(uint32_t offset, void *row, uint16_t bytes)
{
    const uint8_t *from = &mel_in_flash + offset;
    for (uint8_t *to = row; bytes; bytes--)
        *to++ = *from++;
}

uint32_t board_stack_left(void)
{
    const uint8_t *start = (const uint8_t *)&bss_end, *place = start;
    while (place < (const uint8_t *)&stack_top && *place == STACK_PAINT)
        place++;
    return (uint32_t)(place - start);
}

uint32_t board_stack(void)
{
    return (uint32_t)((const uint8_t *)&stack_top - (const uint8_t *)&bss_end) - board_stack_left();
}
