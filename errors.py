"""The one exception that a user can cause."""


class VcompressError(Exception):
    """One sentence that names the thing, says what is wrong with it and what to do; the command line prints it and exits 2."""
