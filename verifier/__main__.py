"""`python -m verifier` is `crane-verify`."""

from verifier.cli.main import main

main()
