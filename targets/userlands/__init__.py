"""Boards with Linux without the boards: Debian's files for their architecture, and QEMU to run them here."""
