/* Constants in flash, read the same way on every target.
 *
 *   static const int8_t weights[48] VC_PROGMEM = {...};
 *   vc_flash_t at = VC_FLASH(weights);          (inside a function: on an AVR it is not a constant expression)
 *   int8_t first = vc_flash_s8(at, 0);
 *
 * On an AVR with more than 64 KB of flash addresses are far, read with ELPM, and the arrays lie behind the code, so that what a
 * core library reads with near addresses stays below 64 KB. One array has at most 32,767 bytes there. Elsewhere flash is memory.
 */
#ifndef VC_FLASH_H
#define VC_FLASH_H

#include <stdint.h>

#if defined(__AVR__)

#include <avr/pgmspace.h>

#if defined(__AVR_HAVE_ELPM__)
#define VC_PROGMEM __attribute__((section(".text.vc_flash"), aligned(2))) /* aligned: the assembler then makes its size even, as the code behind needs */
typedef uint32_t vc_flash_t;
#define VC_FLASH(array) ((vc_flash_t)pgm_get_far_address(array))
#define VC_READ_8(address) pgm_read_byte_far(address)
#define VC_READ_16(address) pgm_read_word_far(address)
#define VC_READ_32(address) pgm_read_dword_far(address)
#else
#define VC_PROGMEM PROGMEM
typedef uint16_t vc_flash_t;
#define VC_FLASH(array) ((vc_flash_t)(array))
#define VC_READ_8(address) pgm_read_byte(address)
#define VC_READ_16(address) pgm_read_word(address)
#define VC_READ_32(address) pgm_read_dword(address)
#endif

static inline vc_flash_t vc_flash_skip(vc_flash_t at, uint16_t bytes) { return at + bytes; }
static inline uint8_t vc_flash_u8(vc_flash_t at, uint16_t index) { return VC_READ_8(at + index); }
static inline int8_t vc_flash_s8(vc_flash_t at, uint16_t index) { return (int8_t)VC_READ_8(at + index); }
static inline uint16_t vc_flash_u16(vc_flash_t at, uint16_t index) { return VC_READ_16(at + 2 * (vc_flash_t)index); }
static inline int16_t vc_flash_s16(vc_flash_t at, uint16_t index) { return (int16_t)VC_READ_16(at + 2 * (vc_flash_t)index); }
static inline int32_t vc_flash_s32(vc_flash_t at, uint16_t index) { return (int32_t)VC_READ_32(at + 4 * (vc_flash_t)index); }

#else

#define VC_PROGMEM
typedef const void *vc_flash_t;
#define VC_FLASH(array) ((vc_flash_t)(array))

static inline vc_flash_t vc_flash_skip(vc_flash_t at, uint16_t bytes) { return (const uint8_t *)at + bytes; }
static inline uint8_t vc_flash_u8(vc_flash_t at, uint16_t index) { return ((const uint8_t *)at)[index]; }
static inline int8_t vc_flash_s8(vc_flash_t at, uint16_t index) { return ((const int8_t *)at)[index]; }
static inline uint16_t vc_flash_u16(vc_flash_t at, uint16_t index) { return ((const uint16_t *)at)[index]; }
static inline int16_t vc_flash_s16(vc_flash_t at, uint16_t index) { return ((const int16_t *)at)[index]; }
static inline int32_t vc_flash_s32(vc_flash_t at, uint16_t index) { return ((const int32_t *)at)[index]; }

#endif

#endif
