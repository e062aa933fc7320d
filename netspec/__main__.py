"""The command line as a process, `netspec` or `python -m netspec`: what is set for all of it is set here."""

import atexit
import gc


def run() -> None:
    """Run the command that the arguments name.

    What the imports make lives as long as the process: searching it for garbage on the way, and all of
    it once more at the exit, would take a sixth of the time.
    """
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    from netspec.cli import main

    main(prog_name="netspec")


if __name__ == "__main__":
    run()
