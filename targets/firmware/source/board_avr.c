/* ATmega1280 and ATmega2560: text on UART 0, marks by a write to GPIOR0, which the simulators watch. */
#include "board.h"
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <avr/sleep.h>

#define MARK 1
#define END 2

extern uint8_t __heap_start; /* first byte behind the variables, from the linker */
extern const uint8_t mel_in_flash;

/* Before main and before the variables are made, so that nothing lies there yet. */
void paint_stack(void) __attribute__((naked, used, section(".init3")));
void paint_stack(void)
{
    __asm__ volatile("ldi r30, lo8(__heap_start)\n\t"
                     "ldi r31, hi8(__heap_start)\n\t"
                     "ldi r24, %0\n\t"
                     "ldi r25, hi8(%1)\n"
                     "1: st Z+, r24\n\t"
                     "cpi r30, lo8(%1)\n\t"
                     "cpc r31, r25\n\t"
                     "brlo 1b\n\t" ::"M"(STACK_PAINT),
                     "i"(RAMEND));
}

void board_init(void)
{
    UCSR0A = 1 << U2X0;
    UBRR0 = 0; /* 2 Mbaud at 16 MHz */
    UCSR0C = (1 << UCSZ01) | (1 << UCSZ00);
    UCSR0B = 1 << TXEN0;
}

void board_put(const char *text)
{
    for (; *text; text++) {
        while (!(UCSR0A & (1 << UDRE0)))
            ;
        UDR0 = (uint8_t)*text;
    }
}

void board_mark(void)
{
    GPIOR0 = MARK;
}

void board_end(void)
{
    UCSR0A |= 1 << TXC0;
    while (!(UCSR0A & (1 << UDRE0)))
        ;
    GPIOR0 = END;
    cli();
    sleep_enable();
    for (;;)
        sleep_cpu();
}

void board_mel(uint32_t offset, void *row, uint16_t bytes)
{
    memcpy_PF(row, pgm_get_far_address(mel_in_flash) + offset, bytes);
}

uint32_t board_stack_left(void)
{
    const uint8_t *place = &__heap_start;
    while (place < (const uint8_t *)RAMEND && *place == STACK_PAINT)
        place++;
    return (uint32_t)(place - &__heap_start);
}

uint32_t board_stack(void)
{
    return (uint32_t)((const uint8_t *)RAMEND + 1 - &__heap_start) - board_stack_left();
}
