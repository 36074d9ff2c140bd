"""`python -m conclaved.service`, and the program `conclaved`.

Loading the daemon makes 60 000 objects that live as long as it does. The garbage collector would walk them
several times meanwhile and find nothing, and again at every full collection after that, in the middle of
meetings: 30 ms each time on a quick processor, and the loop stands still. So they are loaded without it and
then set aside for good.
"""

import gc


def main() -> None:
    """The command line of `conclaved`."""
    gc.disable()
    from conclaved.service.main import main as run

    gc.freeze()
    gc.enable()
    run()


if __name__ == "__main__":
    main()
