"""vcompress: make a neural vocoder small, carry it to the machine where it has to run, and measure what that cost."""

__version__ = "0.1.0"
