/* What a board gives the test program. Each board is one board_*.c. */
#ifndef BOARD_H
#define BOARD_H
#include <stdint.h>

#define STACK_PAINT 0xC5u /* what the start-up fills the free memory with */

void board_init(void);
void board_put(const char *text); /* to whoever listens: UART, or the debugger */
void board_mark(void);            /* the simulator notes its count of cycles or instructions */
void board_end(void);             /* the run is over; does not return */
void board_mel(uint32_t offset, void *row, uint16_t bytes); /* a part of the mel that lies in flash */
uint32_t board_stack(void);       /* bytes of stack used so far at the deepest */
uint32_t board_stack_left(void);  /* bytes between that and the variables */

#endif
