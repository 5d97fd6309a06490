"""C text from a program."""
