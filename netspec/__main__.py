"""The command line as a process, `netspec` or `python -m netspec`: what is set for all of it is set here."""

import atexit
import gc
import os
import sys


def run() -> None:
    """Run the command that the arguments name.

    What the imports make lives as long as the process. To search it for garbage on the way, and to free it piece by
    piece at the end, would take a fifth of the time of a small command.
    """
    gc.set_threshold(100_000)
    codes: list[int] = []
    # What is registered before would be called after `_leave`, which is never.
    if not atexit._ncallbacks():
        atexit.register(_leave, codes)
    from netspec.cli import main

    try:
        main(prog_name="netspec")
    except SystemExit as end:
        if isinstance(end.code, int):
            codes.append(end.code)
        raise


def _leave(codes: list[int]) -> None:
    """End the process with the command's exit code, when all else that waits for its end was called."""
    if codes:  # else there is a traceback to show, or a message
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError:
            return  # Python tells of it
        os._exit(codes[0])


if __name__ == "__main__":
    run()
