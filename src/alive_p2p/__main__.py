"""`python -m alive_p2p` is the same as `alive-p2p`."""

from alive_p2p.cli.main import run

if __name__ == "__main__":
    run()
