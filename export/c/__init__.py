"""The integer graph of an artifact as C99 for microcontrollers: rows in, rows out, nothing that grows with the utterance."""
