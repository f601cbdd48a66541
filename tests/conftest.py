"""Settings of all tests."""

from hypothesis import settings

# The same examples on every run and machine, and no limit on an example's time: machines are shared.
settings.register_profile("companion", deadline=None, derandomize=True)
settings.load_profile("companion")
