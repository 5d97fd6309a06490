/* RP2040: text on UART 0, marks by a write to a scratch register of the watchdog, which the simulator watches.
 * Source: RP2040 data sheet, 4.2.8 (UART registers) and 4.7.6 (watchdog registers).
 */
#include "board.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define UART_DATA REGISTER(0x40034000u)
#define UART_FLAGS REGISTER(0x40034018u)
#define UART_CONTROL REGISTER(0x40034030u)
#define SCRATCH REGISTER(0x4005800Cu)
#define FULL (1u << 5)
#define MARK 1u
#define END 2u

void board_init(void)
{
    UART_CONTROL = 1u | 1u << 8; /* enabled, sending */
}

void board_put(const char *text)
{
    for (; *text; text++) {
        while (UART_FLAGS & FULL)
            ;
        UART_DATA = (uint8_t)*text;
    }
}

void board_mark(void)
{
    SCRATCH = MARK;
}

void board_end(void)
{
    SCRATCH = END;
    for (;;)
        ;
}
