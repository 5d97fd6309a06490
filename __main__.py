"""The command line's outermost layer: every way to end, as a sentence and an exit code."""

import errno
import os
import sys
from collections.abc import Sequence

from .errors import VcompressError

# What the machine, not this program, does wrong: it deserves a sentence, not a traceback.
_STORAGE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR}
INTERRUPTED = 130
# What the light install lacks; other packages are asked for where they are used.
_COMPRESS_EXTRA = {"torch", "torchao", "lightning", "safetensors", "onnx", "onnx_ir", "onnxscript"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (default: the process's own) and give its exit code.

    0: done. 2: a VcompressError, a disk that is full or closed, a package that is missing: one sentence on stderr; or wrong usage.
    130: interrupted. 1: the reader of a pipe left.
    """
    try:
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except VcompressError as error:
        return _end(str(error), 2)
    except KeyboardInterrupt:
        return _interrupted()
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _COMPRESS_EXTRA:
            raise
        return _end(f"This needs the package {error.name}, which is not installed; run: pip install 'vcompress[compress]'.", 2)
    except BrokenPipeError:
        _abandon_stdout()
        return 1
    except OSError as error:
        if error.errno not in _STORAGE_ERRORS:
            raise
        if error.errno == errno.ENOSPC and not error.filename:
            _abandon_stdout()
        place = f"{error.filename} cannot be used" if error.filename else "Nothing more can be written"
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
        return _end(f"{place} ({reason}); make room or choose another place.", 2)


def _run(arguments: Sequence[str] | None) -> int:
    from .cli.app import app

    try:
        app(args=arguments, prog_name="vcompress")
    except SystemExit as stop:
        if stop.code == INTERRUPTED:  # typer's word for a KeyboardInterrupt
            return _interrupted()
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 2
    return 0


def _interrupted() -> int:
    return _end("Stopped: what was finished is kept and nothing is half-written; give the same command to go on.", INTERRUPTED)


def _end(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr)
    return code


def _abandon_stdout() -> None:
    """Send what is still buffered nowhere: else the interpreter tries to write it once more when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


if __name__ == "__main__":
    sys.exit(main())
