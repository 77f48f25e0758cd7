"""What runs inside a fuzzing process: one target, with the program instrumented before it is loaded."""

import sys

import atheris


def _load() -> None:
    """Load everything that may be called later as well: what is imported afterwards is not followed."""
    import importlib
    import pkgutil

    import alive_p2p

    for module in pkgutil.walk_packages(alive_p2p.__path__, "alive_p2p."):
        if not module.name.startswith(("alive_p2p.cli", "alive_p2p.__main__")):
            importlib.import_module(module.name)


def main() -> None:
    """`python -m fuzz.guided TARGET [libFuzzer's options and folders]`; never returns."""
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["alive_p2p"]):
        _load()
    from fuzz.targets import TARGETS

    target = TARGETS[name]

    def one_input(data: bytes) -> None:
        try:
            target.take(data)
        except BaseException:
            # libFuzzer writes it as well where it gets to that; it does not where leaving the process takes it along.
            print(f"input: {data!r}", file=sys.stderr)  # noqa: T201
            raise

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
