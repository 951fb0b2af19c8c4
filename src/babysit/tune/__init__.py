"""Search: engines that train trials."""

from babysit.tune._engine_local import LocalEngine

__all__ = ["LocalEngine"]
