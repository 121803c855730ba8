"""Two towns for the tests of who may see what."""

from tests.towns import *  # noqa: F403
