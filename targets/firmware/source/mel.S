/* The mel that the test program speaks, behind everything else in flash. */
#ifdef __AVR__
    .section .text.zzz_mel, "ax", @progbits
#else
    .section .mel, "a", %progbits
#endif
    .global mel_in_flash
    .balign 4
mel_in_flash:
    .incbin "mel.bin"
    .balign 4
