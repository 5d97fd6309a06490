/* Runs a program on an AVR of simavr: simavr_runner MCU HERTZ ELF.
 *
 * Text of UART 0 on stdout; on stderr "mark N", the cycle count, whenever 1 is written to GPIOR0, and "end N" when 2 is.
 * Ends with 0 there, with 1 where the program stops, crashes or says nothing for SILENCE cycles before, and with 2 for a mistake.
 */
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>
#include <simavr/sim_io.h>
#include <simavr/sim_irq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GPIOR0 0x3E /* data address on ATmega640/1280/1281/2560/2561 */
#define MARK 1
#define END 2
#define SILENCE 2000000000ull

static int ended;
static avr_cycle_count_t heard; /* cycle of the last sign of life */

static void on_byte(struct avr_irq_t *irq, uint32_t value, void *data)
{
    (void)irq;
    heard = ((avr_t *)data)->cycle;
    putchar((int)(value & 0xFFu));
    if (value == '\n')
        fflush(stdout);
}

static void on_mark(struct avr_t *avr, avr_io_addr_t address, uint8_t value, void *data)
{
    (void)address;
    (void)data;
    if (value == MARK || value == END)
        fprintf(stderr, "%s %llu\n", value == MARK ? "mark" : "end", (unsigned long long)avr->cycle);
    ended |= value == END;
}

int main(int count, char **words)
{
    elf_firmware_t firmware;
    avr_t *avr;
    memset(&firmware, 0, sizeof firmware);
    if (count != 4 || elf_read_firmware(words[3], &firmware) || !(avr = avr_make_mcu_by_name(words[1]))) {
        fprintf(stderr, "no such program or microcontroller\n");
        return 2;
    }
    avr_init(avr);
    avr->frequency = (uint32_t)strtoul(words[2], NULL, 10);
    avr->log = LOG_ERROR;
    avr_load_firmware(avr, &firmware);
    uint32_t flags = 0; /* no lines with colours on stderr, no sleeping while the program waits for the UART */
    avr_ioctl(avr, AVR_IOCTL_UART_GET_FLAGS('0'), &flags);
    flags &= ~(uint32_t)(AVR_UART_FLAG_STDIO | AVR_UART_FLAG_POLL_SLEEP);
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), on_byte, avr);
    avr_register_io_write(avr, GPIOR0, on_mark, NULL);
    int state = cpu_Running;
    while (!ended && state != cpu_Done && state != cpu_Crashed && avr->cycle - heard < SILENCE)
        state = avr_run(avr);
    if (!ended && avr->cycle - heard >= SILENCE)
        fprintf(stderr, "it said nothing for %llu cycles\n", SILENCE);
    return ended ? 0 : 1;
}
