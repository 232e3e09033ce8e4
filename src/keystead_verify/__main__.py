"""`python -m keystead_verify` is `keystead-verify`."""

from keystead_verify.main import main

main()
