"""Settings of the test run that hold for every test."""

from hypothesis import settings

# A busy machine is no failure: no test asserts how long something takes.
settings.register_profile("keystead", deadline=None, print_blob=True)
settings.load_profile("keystead")
