"""`python -m tieout` is the command `tieout`."""

from tieout.cli.main import main

main()
